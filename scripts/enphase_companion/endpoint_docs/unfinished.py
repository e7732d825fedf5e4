"""The answers of a run that has not finished, so that the next one requests only what is missing.

They are not anonymized yet, so the file is private, in the folder of the settings, and removed at the end of
the run. Each line is the answer of one request, after a first one that names the gateway. A line that a
killed process did not complete is ignored.
"""

from __future__ import annotations

import json
import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from enphase_api.files import write_private
from enphase_api.models import Info

from .answers import Answer, Outcome, parse_answer
from .catalogue import Endpoint

_LOGGER = logging.getLogger(__name__)

_NAME = "generate_docs.unfinished"
#: Seconds after which the values of both runs would no longer belong together.
_MAX_AGE = 24 * 3600
#: The others may be there now, or not be refused with the token of the next run.
_KEPT = (Outcome.ANSWERED, Outcome.MISSING)


class UnfinishedRun:
    """The answers of this gateway so far, by request; `resumed` is how many an earlier run left."""

    def __init__(self, folder: Path, info: Info, endpoints: tuple[Endpoint, ...]) -> None:
        """Read the answers of an earlier run that was interrupted, if it was the same gateway's."""
        self._file = folder / _NAME
        self._gateway = {"serial_number": info.serial_number, "firmware": info.firmware}
        self.answers: dict[str, Answer] = {}
        lines = [json.dumps({**self._gateway, "started": int(time.time())})]
        by_request = {request: endpoint for endpoint in endpoints for request in endpoint.requests}
        first, *others = self._read() or [{}]
        if self._is_of_this_run(first):
            lines = [json.dumps(first)]
            for each in others:
                endpoint = by_request.get(str(each.get("request")))
                if endpoint is not None and (answer := _parse(each, endpoint)) is not None:
                    self.answers[each["request"]] = answer
                    lines.append(json.dumps(each))
        self.resumed = len(self.answers)
        #: Whether the next run can read them.
        self.is_kept = True
        try:
            write_private(self._file, "\n".join(lines) + "\n")
        except OSError as error:
            self._give_up(error)

    def add(self, request: str, answer: Answer, body: bytes) -> None:
        """Keep the answer of one request, with the bytes that it was parsed from."""
        self.answers[request] = answer
        if not self.is_kept or answer.outcome not in _KEPT:
            return
        line = {"request": request, "outcome": answer.outcome.name, "body": body.decode("utf-8-sig")}
        try:
            # Not created here, so that the mode is that of `write_private`.
            handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
            with os.fdopen(handle, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            self._give_up(error)

    def remove(self) -> None:
        """Remove the file, as its answers are on the pages."""
        with suppress(OSError):
            self._file.unlink()

    def _is_of_this_run(self, first: dict[str, Any]) -> bool:
        started = first.get("started")
        return (
            all(first.get(name) == value for name, value in self._gateway.items())
            and isinstance(started, int)
            and abs(time.time() - started) < _MAX_AGE
        )

    def _read(self) -> list[dict[str, Any]]:
        try:
            text = self._file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return []
        result = []
        for line in text.splitlines():
            try:
                content = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(content, dict):
                result.append(content)
        return result

    def _give_up(self, error: OSError) -> None:
        self.is_kept = False
        _LOGGER.warning(
            "%s: cannot be written (%s): if this run is interrupted, the next one starts again",
            self._file, error.strerror,
        )  # fmt: skip


def _parse(line: dict[str, Any], endpoint: Endpoint) -> Answer | None:
    try:
        outcome = Outcome[line["outcome"]]
        if outcome is not Outcome.ANSWERED:
            return Answer(outcome)
        return Answer(outcome, parse_answer(line["body"].encode(), endpoint))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
