"""Write files atomically; those that contain secrets are readable by their owner only."""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path

#: Seconds after which a temporary file is a leftover of a killed process, not the work of a running one.
_LEFT_BEHIND = 60


def write_private(path: str | os.PathLike[str], content: str) -> None:
    """Write `content` to `path` with mode 0600, atomically: a crash leaves the old file or the new one.

    A missing folder is created, for its owner only. A link is followed: the file that it points to is
    replaced. Raises OSError without leaving a temporary file.
    """
    target = Path(path).resolve()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _replace(target, content.encode(), 0o600, durably=True)


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path` with the mode that the umask leaves, atomically.

    A link is replaced: in a shared folder, another user may have created it. Raises OSError without leaving a
    temporary file.
    """
    _replace(Path(path), content, 0o666, durably=False)


def _replace(target: Path, content: bytes, mode: int, *, durably: bool) -> None:
    _remove_leftovers(target)
    # The name is unpredictable, and an existing file of this name is neither opened nor followed.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(temporary, flags, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if durably:
                os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _remove_leftovers(target: Path) -> None:
    """Remove what earlier writes of this file left behind when they were killed."""
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{16}}\.tmp")
    with suppress(OSError):
        for file in target.parent.iterdir():
            if name.fullmatch(file.name):
                about = file.lstat()
                if stat.S_ISREG(about.st_mode) and time.time() - about.st_mtime > _LEFT_BEHIND:
                    file.unlink()
