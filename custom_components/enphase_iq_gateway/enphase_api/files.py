"""Write files whole or not at all; those that hold secrets are readable by their owner only."""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path

#: Seconds after which a temporary file is what a killed process left behind, and not another one's work.
_LEFT_BEHIND = 60


def write_private(path: str | os.PathLike[str], content: str) -> None:
    """Write `content` to `path` with mode 0600, atomically: a crash leaves the old file or the new one.

    The folder is made where it is missing, for its owner only. A link is followed, so that the file it points
    to is replaced and the link stays. Raises OSError, and then leaves nothing behind.
    """
    target = Path(path).resolve()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _replace(target, content.encode(), 0o600, durably=True)


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path` with the mode that the umask leaves, atomically.

    A link is replaced: in a folder of many, somebody else may have put it there. Raises OSError, and then
    leaves nothing behind.
    """
    _replace(Path(path), content, 0o666, durably=False)


def _replace(target: Path, content: bytes, mode: int, *, durably: bool) -> None:
    _remove_leftovers(target)
    # Nobody can foresee the name, and what has it already is neither opened nor followed.
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
