"""Writes pages, each whole or not at all, and never over what a person wrote.

The first line of a page holds two digests: of the page, by which a page that was edited is known, and of all
but its example. While that is the same, a page is left as it is: a gateway's values are others each time.
"""

from __future__ import annotations

import hashlib
import re
from enum import Enum
from pathlib import Path

from enphase_api.files import write_file

from .answers import Outcome
from .markup import Markup
from .page import Page

_MARK = re.compile(r"page ([0-9a-f]{16}), without example ([0-9a-f]{16})")


class Written(Enum):
    """What became of a page."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "as before"
    WAITING = "left as it was, as nothing was heard"
    EDITED = "edited and left alone"


def write(page: Page, folder: Path, markup: Markup, *, overwrite: bool = False) -> Written:
    """Write a page, unless it is there already, or somebody edited it and that may not be overwritten.

    Raises OSError.
    """
    file = folder / f"{page.name}{markup.ending}"
    body = _joined((*page.facts, *page.example))
    facts = _digest(_joined(page.facts) + str(bool(page.example)))
    mark = f"Made by enphase-gateway-generate-docs: page {_digest(body)}, without example {facts}"
    before = _read(file)
    if before is not None:
        head, _, rest = before.partition("\n\n")
        found = _MARK.search(head)
        own = found is not None and found[1] == _digest(rest)
        if not own and not overwrite:
            return Written.EDITED
        if page.outcome is Outcome.FAILED:
            return Written.WAITING
        if own and found is not None and found[2] == facts:
            return Written.SAME
    _replace(file, f"{markup.comment(mark)}\n\n{body}")
    return Written.NEW if before is None else Written.CHANGED


def _joined(parts: tuple[str, ...]) -> str:
    return "\n\n".join(parts) + "\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        # Whatever it is, it is none of ours.
        return ""


def _replace(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_file(file, content.encode())
