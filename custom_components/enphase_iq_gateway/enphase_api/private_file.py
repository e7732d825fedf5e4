"""Write files that hold secrets: readable by their owner only, and whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_private_file(path: str | os.PathLike[str], content: str) -> None:
    """Write `content` to `path` with mode 0600, atomically: a crash leaves the old file or the new one.

    The folder is made where it is missing. Raises OSError, and then leaves nothing behind.
    """
    # A link is followed, so that the file it points to is replaced and the link stays.
    target = Path(path).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file 0600 from the start.
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
