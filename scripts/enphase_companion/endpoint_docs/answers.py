"""Answers of a gateway, as trees of objects, lists and values: what was said, or why nothing was."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson

from enphase_api import EnphaseError
from enphase_api.json_values import MAX_DEPTH, printable
from enphase_api.models import Info

from ..runtime.errors import CommandError
from .catalogue import Endpoint, file_name

_INFO = "info"

#: Bytes and values of an answer; that of a site with 1,000 inverters stays below half of each.
_LARGEST, _MOST_VALUES = 4_000_000, 200_000
_INTEGER = re.compile(r"0|[1-9][0-9]{0,18}")
_TOO_DEEP = f"it is nested deeper than {MAX_DEPTH} levels"
_TOO_MANY = f"it has more than {_MOST_VALUES:,} values"


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
    """Return the tree of an answer; of XML too: elements are objects, those that repeat are lists.

    Raises ValueError where it is no such answer, or more than any gateway's.
    """
    if len(body) > _LARGEST:
        raise ValueError(f"it has more than {_LARGEST:,} bytes")
    text = body.decode("utf-8-sig")
    tree = orjson.loads(text) if endpoint.format == "json" else _tree_of_xml(text)
    _check_size(tree)
    return tree


def _tree_of_xml(text: str) -> Any:
    if "<!DOCTYPE" in text:
        raise ValueError("it has a document type, which could hold entities that grow without end")
    parser = ElementTree.XMLParser(target=_Builder())  # noqa: S314 - no document type, no entities
    try:
        parser.feed(text)
        root = parser.close()
    except ElementTree.ParseError as error:
        raise ValueError(printable(str(error), 128)) from error
    return {_name(root.tag): _tree(root)}


class _Builder(ElementTree.TreeBuilder):
    """Builds elements as deep, and as many, as an answer may have: what is more is never built."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._count = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        """Open an element."""
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(_TOO_DEEP)
        if self._count > _MOST_VALUES:
            raise ValueError(_TOO_MANY)
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        """Close an element."""
        self._depth -= 1
        return super().end(tag)


def _check_size(tree: Any) -> None:
    """Raise ValueError where a tree is deeper, or has more values, than any gateway's answer."""
    level, count = [tree] if isinstance(tree, (dict, list)) else [], 1
    for _ in range(MAX_DEPTH):
        members = [each for value in level for each in (value.values() if isinstance(value, dict) else value)]
        count += len(members)
        if count > _MOST_VALUES:
            raise ValueError(_TOO_MANY)
        level = [each for each in members if isinstance(each, (dict, list))]
    if level:
        raise ValueError(_TOO_DEEP)


def recorded(folder: Path, endpoints: tuple[Endpoint, ...]) -> tuple[Source, list[str]]:
    """Return what a folder of recorded answers holds, and the names of files that no endpoint has.

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
        return _read(file)
    except OSError as error:
        raise CommandError(f"{file}: cannot be read ({error.strerror}).") from None


def _read(file: Path) -> bytes:
    """Return what a file holds, or as much of it as tells that it is too large. Raises OSError."""
    with file.open("rb") as opened:
        return opened.read(_LARGEST + 1)


def _tree(element: ElementTree.Element) -> Any:
    children = list(element)
    if not children and not element.attrib:
        return _value((element.text or "").strip())
    result: dict[str, Any] = {f"@{_name(name)}": value for name, value in element.attrib.items()}
    counts = Counter(_name(each.tag) for each in children)
    for child in children:
        name = _name(child.tag)
        if counts[name] == 1:
            result[name] = _tree(child)
        else:
            result.setdefault(name, []).append(_tree(child))
    return result


def _name(tag: str) -> str:
    """Return the name of an element or attribute without the address of its namespace."""
    return tag.rpartition("}")[2]


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if _INTEGER.fullmatch(text) else text
