"""Where a replayed gateway's answers come from: a folder of recorded ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_SERIAL = re.compile(r"(<sn>\s*)([^<\s]+)(\s*</sn>)")

#: Served for a serial number that is no number: some recordings are published with a word in its place.
_BLANKED = "122300000042"


class ReplayedAnswers:
    """Answers from a folder whose file names are paths with `_` for `/`, `?` and `=`.

    `production.json_details_1` is /production.json?details=1. A missing or empty file: no such endpoint. A
    serial number that was blanked is served as an invented one, as a gateway's is digits.
    """

    def __init__(self, folder: Path) -> None:
        """Read the gateway's serial number. Raises ValueError for a folder whose `info` does not hold it."""
        self._folder = folder
        if not (folder / "info").is_file():
            raise ValueError(f"{folder}: no recording of a gateway, as it holds no file info")
        found = _SERIAL.search(self.info())
        if found is None:
            raise ValueError(f"{folder / 'info'}: holds no <sn>, the gateway's serial number")
        self.serial_number = found[2]

    def info(self) -> str:
        """Return the text of /info."""
        text = (self._folder / "info").read_text(encoding="utf-8")
        return _SERIAL.sub(
            lambda each: each[0] if each[2].isdigit() else f"{each[1]}{_BLANKED}{each[3]}", text
        )

    def get(self, path: str, query: str) -> Any:
        """Return the recorded JSON of a path and query, else of the path alone; None: not recorded."""
        plain = path.strip("/").replace("/", "_")
        asked = f"{plain}_{re.sub('[=&]', '_', query)}" if query else plain
        for name in (asked, plain):
            file = self._folder / name
            # A name with a folder in it is none that a recording has.
            if file.parent == self._folder and file.is_file() and file.stat().st_size:
                return json.loads(file.read_text(encoding="utf-8"))
        return None

    def post(self, path: str, body: Any) -> None:
        """Nothing: recordings cannot be written to."""

    def restart(self) -> None:
        """Nothing: recordings say what they say."""

    def silent(self) -> bool:
        """Never."""
        return False
