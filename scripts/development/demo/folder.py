"""The configuration folder of Home Assistant: recreated at each start, locked by one demo."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ..steps import PROJECT
from .errors import DemoError

_LOCK = "demo.lock"


@contextmanager
def create_configuration(folder: Path, *, forget: bool = False) -> Iterator[Path]:
    """Yield a new configuration folder inside `folder`, locked until the end of the `with`.

    With `forget` it is deleted at the end, because it contains a real gateway's token.

    Raise DemoError if another demo uses it, if it contains other files, or if it cannot be created.
    """
    lock = folder / _LOCK
    try:
        if folder.exists() and not lock.exists() and any(folder.iterdir()):
            raise DemoError(f"{folder} contains other files: set --folder to a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        opened = lock.open("w")
    except OSError as error:
        raise DemoError(
            f"{folder} cannot be used ({error.strerror}): set --folder to one that you may write to"
        ) from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DemoError(
                f"another demo is running in {folder}: end it, or set another --folder and --port"
            ) from error
        configuration = recreate(folder.absolute() / "home-assistant")
        try:
            yield configuration
        finally:
            if forget:
                shutil.rmtree(configuration, ignore_errors=True)


def recreate(folder: Path) -> Path:
    """Empty a folder that only this user can read, or make it, and return it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


def fill(configuration: Path, host: str, port: int) -> None:
    """Write the configuration for this address; only the first user remains to be created."""
    shutil.copy(PROJECT / "configuration" / "demo" / "configuration.yaml", configuration)
    (configuration / "custom_components").symlink_to(PROJECT / "custom_components")
    storage = configuration / ".storage"
    storage.mkdir()
    write_address(storage, host, port)
    # The step "core_config" would add integrations that contact servers on the internet.
    _store(storage, "onboarding", (4, 1), {"done": ["core_config", "analytics", "integration"]})


def write_address(storage: Path, host: str, port: int) -> None:
    """Write where Home Assistant listens.

    It reverts an unconfirmed `http:` in the YAML after five minutes and exits.
    """
    listening = {
        "server_host": [host],
        "server_port": port,
        "cors_allowed_origins": ["https://cast.home-assistant.io"],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": True,
        "ssl_profile": "intermediate_v6",
        "use_x_frame_options": True,
        "created_at": datetime.now(UTC).isoformat(),
        "error": None,
        "error_message": None,
    }
    _store(storage, "http", (3, 1), {"stable": listening, "pending": None, "yaml_migration_done": True})


def _store(storage: Path, key: str, version: tuple[int, int], data: dict[str, object]) -> None:
    document = {"version": version[0], "minor_version": version[1], "key": key, "data": data}
    (storage / key).write_text(json.dumps(document))
