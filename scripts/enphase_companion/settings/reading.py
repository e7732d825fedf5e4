"""Finds what is set: by option, in the environment, as a systemd credential, or in the credentials file.

The first of these that gives a key wins. A systemd credential has the name of its key.
"""

from __future__ import annotations

import argparse
import difflib
import json
import logging
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from enphase_api.private_file import write_private_file

from ..running.errors import SettingsError
from ..running.redaction import hide
from .keys import CONFIGURATION_VARIABLE, KEYS, Settings, option, variable
from .rules import checked

_LOGGER = logging.getLogger(__name__)


def read(file_name: str, names: Iterable[str], options: argparse.Namespace) -> Settings:
    """Give the settings with these names, checked; warn of what is strange in the file but harmless.

    Raises SettingsError for the first that cannot be right.
    """
    explicit = options.configuration or os.environ.get(CONFIGURATION_VARIABLE)
    file = _folder(explicit, file_name) / file_name
    in_file = _read_file(file)
    _warn_of_unknown_keys(file, in_file)
    given: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name in names:
        for origin, value in _candidates(name, options, file, in_file):
            if value is not None and value != "":
                given[name], origins[name] = value, origin
                if KEYS[name].metadata["private"]:
                    hide(str(value))
                break
    _warn_of_readers(file, in_file)
    where = f" --configuration {explicit}" if explicit else ""
    command = Settings.trust_command + where
    return Settings(file=file, origins=origins, trust_command=command, **checked(given, origins))


def store(settings: Settings, name: str, value: str) -> None:
    """Put a value into the file, atomically and with mode 0600; its other keys and their order stay.

    Raises OSError where it cannot be written, SettingsError where the file has been broken meanwhile.
    """
    content = {**_read_file(settings.file), name: value}
    write_private_file(settings.file, json.dumps(content, indent=4, ensure_ascii=False) + "\n")


def _folder(explicit: str | None, file_name: str) -> Path:
    if explicit is not None:
        folder = Path(explicit).expanduser()
        if folder.exists() and not folder.is_dir():
            raise SettingsError(f"--configuration {folder}: this is a file. Give the folder that it lies in.")
        return folder
    folders = [Path("configuration"), Path("~/.config/enphase-iq-gateway").expanduser()]
    with_file = [folder for folder in folders if (folder / file_name).exists()]
    there = [folder for folder in folders if folder.is_dir()]
    return (with_file or there or folders[1:])[0]


def _candidates(
    name: str, options: argparse.Namespace, file: Path, in_file: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Give every place where a key may be set, first the one that wins, with what it holds."""
    if not KEYS[name].metadata["secret"]:
        yield option(name), getattr(options, name, None)
    yield variable(name), os.environ.get(variable(name))
    if credentials := os.environ.get("CREDENTIALS_DIRECTORY"):
        yield f"systemd credential {name}", _read_credential(Path(credentials) / name)
    yield f"{file}: {name}", in_file.get(name)


def _read_credential(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({_reason(error)}).") from None


def _read_file(file: Path) -> dict[str, Any]:
    """Give the content of a credentials file; nothing where there is none."""
    try:
        # Editors on Windows put a byte order mark first.
        content = json.loads(file.read_text(encoding="utf-8-sig"))
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
