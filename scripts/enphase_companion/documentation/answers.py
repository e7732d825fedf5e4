"""Answers of a gateway, as trees of objects, lists and values: what was said, or why nothing was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from enphase_api import EnphaseError
from enphase_api.models import Info

from ..running.errors import CommandError
from .catalogue import Endpoint, file_name

_INFO = "info"


class Outcome(Enum):
    """What came of a request."""

    ANSWERED = "answered"
    MISSING = "not there"
    REFUSED = "refused, or not there"
    FAILED = "no answer this time"
    UNASKED = "never asked"


@dataclass(frozen=True)
class Answer:
    """What came of one request; `content` is a tree where it was answered."""

    outcome: Outcome
    content: Any = None


@dataclass
class Source:
    """One gateway, and what it said: the answers by request."""

    firmware: str
    answers: dict[str, Answer] = field(default_factory=dict)


def parsed(body: bytes, endpoint: Endpoint) -> Any:
    """Give the tree of an answer; of XML too: elements are objects, those that repeat are lists.

    Raises ValueError where it is no such answer.
    """
    text = body.decode("utf-8-sig")
    if endpoint.format == "json":
        return json.loads(text)
    if "<!DOCTYPE" in text:
        raise ValueError("it has a document type, which could hold entities that grow without end")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - no document type, no entities
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from error
    return {root.tag: _tree(root)}


def recorded(folder: Path, endpoints: tuple[Endpoint, ...]) -> tuple[Source, list[str]]:
    """Give what a folder of recorded answers holds, and the names of files that no endpoint has.

    A file's name is its request, as `file_name` gives it; a missing or empty file: no such endpoint. Raises
    CommandError where there is no such folder, or one of its files cannot be read.
    """
    if not folder.is_dir():
        raise CommandError(f"--from {folder}: there is no such folder.")
    found = {each.name for each in folder.iterdir() if each.is_file() and each.name[0] not in "._"}
    source = Source(_firmware(folder))
    for endpoint in endpoints:
        for request in endpoint.requests:
            name = file_name(request)
            body = _body(folder / name) if name in found else b""
            found.discard(name)
            if not body.strip():
                source.answers[request] = Answer(Outcome.MISSING)
                continue
            try:
                source.answers[request] = Answer(Outcome.ANSWERED, parsed(body, endpoint))
            except ValueError as error:
                raise CommandError(
                    f"{folder / name}: not valid {endpoint.format.upper()} ({error}). Correct or remove it."
                ) from None
    if all(each.outcome is Outcome.MISSING for each in source.answers.values()):
        raise CommandError(
            f"--from {folder}: holds no recorded answer. The file of /ivp/meters is called "
            "ivp_meters, that of /production.json?details=1 production.json_details_1."
        )
    return source, sorted(found)


def _firmware(folder: Path) -> str:
    try:
        return Info.firmware_from_xml((folder / _INFO).read_bytes())
    except (OSError, EnphaseError):
        return "unknown"


def _body(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: cannot be read ({error.strerror}).") from None


def _tree(element: ElementTree.Element) -> Any:
    children = list(element)
    if not children and not element.attrib:
        return _value((element.text or "").strip())
    result: dict[str, Any] = {f"@{name}": value for name, value in element.attrib.items()}
    counts: Mapping[str, int] = {
        each.tag: sum(other.tag == each.tag for other in children) for each in children
    }
    for child in children:
        if counts[child.tag] == 1:
            result[child.tag] = _tree(child)
        else:
            result.setdefault(child.tag, []).append(_tree(child))
    return result


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdecimal() and str(int(text)) == text else text
