"""Write an anonymized recording: a folder that `load_recording`, the simulator and the tests read."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from typing import Any

from enphase_api.files import write_file

from ..runtime.errors import CommandError
from .answers import NOTES, Answer, Outcome, Recording
from .catalogue import Endpoint, file_name
from .example import serialize

_ABOUT = (
    "Answers of an IQ Gateway, anonymized by enphase-gateway-generate-docs. A file has the name of the path "
    "that it answered, with _ for / ? = and &. Serial numbers, addresses, names, places and tokens are "
    "placeholders, and unknown texts are the word text; timestamps are shifted, the newest to 2026-01-15 "
    "12:00 UTC. Measured values, energies, counts, states, versions, part numbers and ids of meters are "
    "those of the gateway. Outcomes: answered; missing: no such endpoint; refused: not with this token; "
    "invalid: HTML or another answer that is not valid; failed: no answer."
)


def check_target(folder: Path, *, overwrite: bool) -> None:
    """Raise CommandError unless a recording may be written to this folder."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / NOTES).is_file():
        raise CommandError(f"--record {folder}: exists and is no recording: name another folder")
    if not overwrite:
        raise CommandError(f"--record {folder}: has a recording: name another folder, or use --overwrite")


def write_recording(folder: Path, recording: Recording, endpoints: tuple[Endpoint, ...]) -> int:
    """Write an anonymized recording and return the number of its answers.

    The folder is complete or unchanged: an existing one is replaced. Raises OSError.
    """
    folder = folder.resolve()
    formats = {request: endpoint.format for endpoint in endpoints for request in endpoint.requests}
    token = secrets.token_hex(8)
    new, old = (folder.with_name(f".{folder.name}.{token}.{each}") for each in ("new", "old"))
    new.mkdir(parents=True)
    try:
        for request, answer in recording.answers.items():
            if answer.outcome is Outcome.ANSWERED:
                write_file(new / file_name(request), _serialize(answer, formats[request]).encode())
        write_file(new / NOTES, (json.dumps(_notes(recording), indent=2) + "\n").encode())
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    except BaseException:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    return sum(answer.outcome is Outcome.ANSWERED for answer in recording.answers.values())


def _serialize(answer: Answer, format_: str) -> str:
    if format_ == "xml":
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{serialize(answer.content, format_)}\n'
    return json.dumps(answer.content, indent=1, ensure_ascii=True) + "\n"


def _notes(recording: Recording) -> dict[str, Any]:
    return {
        "about": _ABOUT,
        "firmware": recording.firmware,
        "outcomes": {
            request: each.outcome.name.lower()
            for request, each in recording.answers.items()
            if each.outcome is not Outcome.NOT_REQUESTED
        },
    }
