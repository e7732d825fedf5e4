"""Load settings from options, the environment, systemd credentials and the credentials files.

The first of these that has a setting wins. A systemd credential has the name of its setting.
"""

from __future__ import annotations

import argparse
import difflib
import json
import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import voluptuous as vol

from enphase_api.files import write_private

from ..runtime.errors import SettingsError
from ..runtime.redaction import hide
from .rules import invalid, secrets
from .settings import CONFIGURATION_VARIABLE, CREDENTIALS_FILES, SETTINGS, Settings, option, variable

_LOGGER = logging.getLogger(__name__)


def load_settings(names: Iterable[str], options: argparse.Namespace) -> Settings:
    """Return the settings with these names, validated; warn of harmless mistakes in the files.

    Raises SettingsError for the first invalid value, and if the gateway's settings are wanted but neither a
    token nor an account is set, nor a Home Assistant that is read instead.
    """
    names = tuple(names)
    explicit = options.configuration or os.environ.get(CONFIGURATION_VARIABLE)
    folders = _folders(explicit)
    folder = _folder(folders)
    contents = {file: read_object(file) for file in (folder / name for name in CREDENTIALS_FILES)}
    for file, content in contents.items():
        _warn_of_unknown_keys(file, content)
    given, origins, files = _gather(names, options, contents)
    for file, content in contents.items():
        _warn_of_readers(file, content)
    where = f" --configuration {explicit}" if explicit else ""
    command = Settings.trust_command + where
    settings = Settings(
        folder=folder, origins=origins, files=files, trust_command=command, **_validate(given, origins)
    )
    _require_both(settings, "home_assistant_url", "home_assistant_token")
    if "gateway_token" in names and settings.home_assistant_url is None:
        has_home_assistant = any(value for _, value in _candidates("home_assistant_url", options, contents))
        _require_credentials(settings, folders, has_home_assistant=has_home_assistant)
    return settings


def _gather(
    names: Iterable[str], options: argparse.Namespace, contents: Mapping[Path, Mapping[str, Any]]
) -> tuple[dict[str, Any], dict[str, str], dict[str, Path]]:
    """Return the values that are set, their places, and the files of those that a file sets."""
    given: dict[str, Any] = {}
    origins: dict[str, str] = {}
    files: dict[str, Path] = {}
    for name in names:
        for origin, value in _candidates(name, options, contents):
            if value is not None and value != "":
                given[name], origins[name] = value, origin if isinstance(origin, str) else f"{origin}: {name}"
                if isinstance(origin, Path):
                    files[name] = origin
                if SETTINGS[name].metadata["private"]:
                    for secret in secrets(str(value)) if name.endswith("_url") else (str(value),):
                        hide(secret)
                break
    return given, origins, files


def store(settings: Settings, name: str, value: str) -> None:
    """Write a value to its credentials file, atomically and with mode 0600; other keys and the order stay.

    Raises OSError if the file cannot be written, SettingsError if it has become invalid meanwhile.
    """
    file = settings.file_of(name)
    content = {**read_object(file), name: value}
    write_private(file, json.dumps(content, indent=4, ensure_ascii=False) + "\n")


def _validate(given: Mapping[str, Any], origins: Mapping[str, str]) -> dict[str, Any]:
    """Return the values in the form that the settings hold.

    Raises SettingsError for the first invalid one: its place and what it must be, never its value.
    """
    schema = vol.Schema(
        {name: vol.All(SETTINGS[name].metadata["rule"], _reject_placeholder(name)) for name in given}
    )
    try:
        result: dict[str, Any] = schema(dict(given))
    except vol.MultipleInvalid as error:
        first = error.errors[0]
        raise SettingsError(f"{origins[str(first.path[0])]}: {first.error_message}") from None
    return result


def _reject_placeholder(name: str) -> Callable[[Any], Any]:
    """Return the rule that refuses the values of the examples."""

    def check(value: Any) -> Any:
        if value in SETTINGS[name].metadata["placeholders"]:
            raise invalid("still has the value of the example: replace it or leave it out")
        return value

    return check


def _folders(explicit: str | None) -> list[Path]:
    """Return the folders to search, as absolute paths, so that a message names a place that can be found."""
    if explicit is None:
        return [Path("configuration").absolute(), Path("~/.config/enphase-iq-gateway").expanduser()]
    folder = Path(explicit).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"--configuration {folder}: is a file: name its folder")
    return [folder]


def _folder(folders: Sequence[Path]) -> Path:
    with_file = [folder for folder in folders if any((folder / name).exists() for name in CREDENTIALS_FILES)]
    there = [folder for folder in folders if folder.is_dir()]
    return (with_file or there or folders[-1:])[0]


def _require_credentials(
    settings: Settings, folders: Sequence[Path], *, has_home_assistant: bool = False
) -> None:
    """Raise SettingsError if there is neither a token nor a complete account to get one with.

    `has_home_assistant`: it is set, but the command cannot use it.
    """
    if settings.gateway_token is not None or settings.has_account:
        return
    if has_home_assistant:
        raise SettingsError(
            "home_assistant_url: this needs the gateway itself: also set gateway_token, or enphase_username "
            "and enphase_password"
        )
    files = [folder / name for folder in folders for name in CREDENTIALS_FILES]
    if not settings.origins.keys() & {"enphase_username", "enphase_password"} and not any(
        file.exists() for file in files
    ):
        raise SettingsError(
            f"none of these credentials files exists: {', '.join(map(str, files))}; make one with "
            "enphase_username and enphase_password, or with gateway_token, in it"
        )
    _require_both(settings, "enphase_username", "enphase_password")
    there = " and ".join(str(file) for file in settings.credentials_files if file.exists())
    raise SettingsError(
        f"{there}: no gateway_token and no enphase_username with enphase_password: fill in the account, or "
        f"a token made on {Settings.entrez_host}"
    )


def _require_both(settings: Settings, *names: str) -> None:
    """Raise SettingsError if one of two settings is set, but not the other."""
    missing = [name for name in names if getattr(settings, name) is None]
    if len(missing) == 1:
        (there,) = set(names) - set(missing)
        raise SettingsError(
            f"{settings.in_file(missing[0])}: is missing: {settings.where(there)} alone is of no use"
        )


def _candidates(
    name: str, options: argparse.Namespace, contents: Mapping[Path, Mapping[str, Any]]
) -> Iterator[tuple[str | Path, Any]]:
    """Yield every place of a setting with its value there, the one that wins first."""
    if not SETTINGS[name].metadata["secret"]:
        yield option(name), getattr(options, name, None)
    if SETTINGS[name].metadata["has_variable"]:
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
        raise SettingsError(f"{path}: cannot be read ({_reason(error)})") from None


def read_object(file: Path) -> dict[str, Any]:
    """Return the content of a credentials file; empty if there is none."""
    try:
        # Editors on Windows put a byte order mark first.
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        # Storing a new token writes everything else in it again.
        json.dumps(content, ensure_ascii=False).encode()
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        # Without the cause: it holds the whole text.
        raise SettingsError(
            f"{file}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg}): look for "
            "a missing comma or quotation mark there or one line before"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read ({_reason(error)})") from None
    except (ValueError, RecursionError):
        # Half a character, a number of thousands of digits, or lists within lists.
        raise SettingsError(f"{file}: holds values that no setting can have") from None
    if not isinstance(content, dict):
        raise SettingsError(
            f"{file}: must hold one JSON object, {{...}}: compare it with the examples in configuration/"
        )
    return content


def _reason(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "it is not UTF-8 text"


def _warn_of_unknown_keys(file: Path, content: Mapping[str, Any]) -> None:
    for name in content:
        if name not in SETTINGS:
            meant = difflib.get_close_matches(name, SETTINGS, n=1)
            hint = f": did you mean {meant[0]}?" if meant else ""
            _LOGGER.warning("%s: unknown key %s is ignored%s", file, name, hint)


def _warn_of_readers(file: Path, content: Mapping[str, Any]) -> None:
    """Warn if other users of this machine can read the secrets in the file."""
    secret = [
        name for name in content if name in SETTINGS and SETTINGS[name].metadata["secret"] and content[name]
    ]
    if secret and os.name == "posix" and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        _LOGGER.warning(
            "%s: other users of this machine can read its %s: run chmod 600 %s",
            file,
            secret[0],
            file,
        )
