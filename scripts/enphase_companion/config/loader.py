"""Finds what is set: by option, in the environment, as a systemd credential, or in a credentials file.

The first of these that gives a key wins. A systemd credential has the name of its key.
"""

from __future__ import annotations

import argparse
import difflib
import json
import logging
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from enphase_api.private_file import write_private_file

from ..runtime.errors import SettingsError
from ..runtime.redaction import hide
from .addresses import secrets
from .rules import checked
from .settings import CONFIGURATION_VARIABLE, CREDENTIALS_FILES, KEYS, Settings, option, variable

_LOGGER = logging.getLogger(__name__)


def read(names: Iterable[str], options: argparse.Namespace) -> Settings:
    """Return the settings with these names, checked; warn of what is strange in the files but harmless.

    Raises SettingsError for the first that cannot be right, and where a gateway is to be read for which there
    is neither a token nor an account.
    """
    names = tuple(names)
    explicit = options.configuration or os.environ.get(CONFIGURATION_VARIABLE)
    folders = _folders(explicit)
    folder = _folder(folders)
    contents = {file: _read_file(file) for file in (folder / name for name in CREDENTIALS_FILES)}
    for file, content in contents.items():
        _warn_of_unknown_keys(file, content)
    given: dict[str, Any] = {}
    origins: dict[str, str] = {}
    files: dict[str, Path] = {}
    for name in names:
        for origin, value in _candidates(name, options, contents):
            if value is not None and value != "":
                given[name], origins[name] = value, origin if isinstance(origin, str) else f"{origin}: {name}"
                if isinstance(origin, Path):
                    files[name] = origin
                if KEYS[name].metadata["private"]:
                    for secret in secrets(str(value)) if name.endswith("_url") else (str(value),):
                        hide(secret)
                break
    for file, content in contents.items():
        _warn_of_readers(file, content)
    where = f" --configuration {explicit}" if explicit else ""
    command = Settings.trust_command + where
    settings = Settings(
        folder=folder, origins=origins, files=files, trust_command=command, **checked(given, origins)
    )
    if "gateway_token" in names:
        _require_credentials(settings, folders)
    return settings


def store(settings: Settings, name: str, value: str) -> None:
    """Put a value into its file, atomically and with mode 0600; its other keys and their order stay.

    Raises OSError where it cannot be written, SettingsError where the file has been broken meanwhile.
    """
    file = settings.file_of(name)
    content = {**_read_file(file), name: value}
    write_private_file(file, json.dumps(content, indent=4, ensure_ascii=False) + "\n")


def _folders(explicit: str | None) -> list[Path]:
    """Return the folders that are looked into, as absolute paths: what a message names can then be found."""
    if explicit is None:
        return [Path("configuration").absolute(), Path("~/.config/enphase-iq-gateway").expanduser()]
    folder = Path(explicit).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"--configuration {folder}: is a file: name the folder that it lies in")
    return [folder]


def _folder(folders: Sequence[Path]) -> Path:
    with_file = [folder for folder in folders if any((folder / name).exists() for name in CREDENTIALS_FILES)]
    there = [folder for folder in folders if folder.is_dir()]
    return (with_file or there or folders[-1:])[0]


def _require_credentials(settings: Settings, folders: Sequence[Path]) -> None:
    """Raise SettingsError where there is neither a token nor a whole account to get one with."""
    if settings.gateway_token is not None or settings.has_account:
        return
    files = [folder / name for folder in folders for name in CREDENTIALS_FILES]
    if not settings.origins.keys() & {"enphase_username", "enphase_password"} and not any(
        file.exists() for file in files
    ):
        raise SettingsError(
            f"none of these credentials files exists: {', '.join(map(str, files))}; make one with "
            "enphase_username and enphase_password, or with gateway_token, in it"
        )
    for name, other in (("enphase_password", "enphase_username"), ("enphase_username", "enphase_password")):
        if getattr(settings, name) is None and getattr(settings, other) is not None:
            raise SettingsError(
                f"{settings.in_file(name)}: is missing: {settings.where(other)} alone gets no token"
            )
    there = " and ".join(str(file) for file in settings.credentials_files if file.exists())
    raise SettingsError(
        f"{there}: no gateway_token and no enphase_username with enphase_password: fill in the account, or "
        f"a token made on {Settings.entrez_host}"
    )


def _candidates(
    name: str, options: argparse.Namespace, contents: Mapping[Path, Mapping[str, Any]]
) -> Iterator[tuple[str | Path, Any]]:
    """Yield every place where a key may be set, first the one that wins, with what it holds."""
    if not KEYS[name].metadata["secret"]:
        yield option(name), getattr(options, name, None)
    if KEYS[name].metadata["has_variable"]:
        yield variable(name), os.environ.get(variable(name))
    if credentials := os.environ.get("CREDENTIALS_DIRECTORY"):
        yield f"systemd credential {name}", _read_credential(Path(credentials) / name)
    for file, content in contents.items():
        yield file, content.get(name)


def _read_credential(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({_reason(error)}).") from None


def _read_file(file: Path) -> dict[str, Any]:
    """Return the content of a credentials file; nothing where there is none."""
    try:
        # Editors on Windows put a byte order mark first.
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        # What is stored later has to be written with all else that is in it.
        json.dumps(content, ensure_ascii=False).encode()
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        # Without the cause: it holds the whole text.
        raise SettingsError(
            f"{file}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg}). "
            "Look for a missing comma or quotation mark there or one line before."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read ({_reason(error)}).") from None
    except (ValueError, RecursionError):
        # Half a character, a number of thousands of digits, or lists within lists.
        raise SettingsError(f"{file}: holds values that no setting can have.") from None
    if not isinstance(content, dict):
        raise SettingsError(
            f"{file}: should hold one JSON object, {{...}}. Compare it with {file.name}.example."
        )
    return content


def _reason(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "it is not UTF-8 text"


def _warn_of_unknown_keys(file: Path, content: Mapping[str, Any]) -> None:
    for name in content:
        if name not in KEYS:
            meant = difflib.get_close_matches(name, KEYS, n=1)
            hint = f" Did you mean {meant[0]}?" if meant else ""
            _LOGGER.warning("%s: unknown key %s is not used.%s", file, name, hint)


def _warn_of_readers(file: Path, content: Mapping[str, Any]) -> None:
    """Warn where others on this machine can read the secrets in the file."""
    secret = [name for name in content if name in KEYS and KEYS[name].metadata["secret"] and content[name]]
    if secret and os.name == "posix" and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        _LOGGER.warning(
            "%s: others on this machine can read the %s in it. Close it with: chmod 600 %s",
            file,
            secret[0],
            file,
        )
