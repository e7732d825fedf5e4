"""Answers of a gateway, parsed from JSON or XML, and recordings: the answers of one gateway."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
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
from .catalogue import UNKNOWN, Endpoint, Safety
from .placeholders import Placeholders

_LOGGER = logging.getLogger(__name__)

_INFO = "info"
#: The file in a recording with the outcome of each request; names that begin so are no answers.
NOTES = "_recording.json"

#: Maximum bytes and values of an answer. Answers of a site with 1,000 inverters have less than a tenth.
_MAX_BYTES, _MAX_VALUES = 16_000_000, 1_000_000
_MAX_NAME_LENGTH = 128
_INTEGER = re.compile(r"0|[1-9][0-9]{0,18}")
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_TOO_MANY = f"more than {_MAX_VALUES:,} values"


class Outcome(Enum):
    """The outcome of a request."""

    ANSWERED = "answered"
    MISSING = "not available"
    REFUSED = "refused or not available"
    INVALID = "invalid answer"
    FAILED = "no answer"
    NOT_REQUESTED = "not requested"


@dataclass(frozen=True)
class Answer:
    """The outcome of one request; `content` is the parsed answer, if there was one."""

    outcome: Outcome
    content: Any = None


@dataclass
class Recording:
    """The answers of one gateway, by request (path and query)."""

    firmware: str
    answers: dict[str, Answer] = field(default_factory=dict)


def parse_answer(body: bytes, endpoint: Endpoint) -> Any:
    """Return an answer as objects, lists and values. XML elements become objects, repeated ones lists.

    Raises ValueError if the answer is invalid or too large.
    """
    if len(body) > _MAX_BYTES:
        raise ValueError(f"more than {_MAX_BYTES:,} bytes")
    text = body.decode("utf-8-sig")
    tree = orjson.loads(text) if endpoint.format == "json" else _parse_xml(text)
    _check_size(tree)
    return tree


def _parse_xml(text: str) -> Any:
    if "<!DOCTYPE" in text:
        raise ValueError("document types are not allowed, as their entities can expand without limit")
    parser = ElementTree.XMLParser(target=_Builder())  # noqa: S314 - no document type, no entities
    try:
        parser.feed(text)
        root = parser.close()
    except ElementTree.ParseError as error:
        raise ValueError(printable(str(error), 128)) from error
    return {_name(root.tag): _element(root)}


class _Builder(ElementTree.TreeBuilder):
    """Tree builder that stops at the maximum depth and number of elements."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._count = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        """Open an element."""
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(_TOO_DEEP)
        if self._count > _MAX_VALUES:
            raise ValueError(_TOO_MANY)
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        """Close an element."""
        self._depth -= 1
        return super().end(tag)


def _check_size(tree: Any) -> None:
    """Raise ValueError if an answer is nested too deeply or has too many values."""
    level, count = [tree] if isinstance(tree, (dict, list)) else [], 1
    for _ in range(MAX_DEPTH):
        members = [each for value in level for each in (value.values() if isinstance(value, dict) else value)]
        count += len(members)
        if count > _MAX_VALUES:
            raise ValueError(_TOO_MANY)
        level = [each for each in members if isinstance(each, (dict, list))]
    if level:
        raise ValueError(_TOO_DEEP)


def load_recording(
    folder: Path, endpoints: tuple[Endpoint, ...], *, keep_invalid: bool = False
) -> tuple[Recording, list[str]]:
    """Return the recorded answers in a folder, and the names of files that match no endpoint.

    Each file is named after its request, or an alias of it. For a missing or empty file, the notes have the
    outcome; without notes, the gateway does not have the endpoint. Raises CommandError if the folder is
    missing or a file is unreadable or, unless `keep_invalid`, invalid: such as a page of HTML.
    """
    if not folder.is_dir():
        raise CommandError(f"recording {folder}: no such folder")
    outcomes = _load_outcomes(folder / NOTES)
    names = _file_names(folder)
    recording = Recording(_firmware(folder))
    for endpoint in endpoints:
        for request in endpoint.requests:
            found = [name for name in endpoint.file_names(request) if name in names]
            bodies = {name: body for name in found if (body := _body(folder / name)).strip()}
            names.difference_update(found)
            name, body = next(iter(bodies.items()), ("", b""))
            if not name:
                # What its notes do not name was not requested.
                recording.answers[request] = Answer(
                    Outcome.MISSING if outcomes is None else outcomes.get(request, Outcome.NOT_REQUESTED)
                )
                continue
            try:
                recording.answers[request] = Answer(Outcome.ANSWERED, parse_answer(body, endpoint))
            except ValueError as error:
                problem = f"{folder / name}: invalid {endpoint.format.upper()} ({error})"
                if not keep_invalid:
                    raise CommandError(f"{problem}: correct or remove it") from None
                _LOGGER.warning("%s", problem)
                recording.answers[request] = Answer(Outcome.INVALID)
    if not any(each.outcome is Outcome.ANSWERED for each in recording.answers.values()):
        raise CommandError(
            f"recording {folder}: no recorded answers: name the file of /ivp/meters ivp_meters, and that "
            "of /production.json?details=1 production.json_details_1"
        )
    return recording, sorted(names)


def find_unknown_endpoints(
    folder: Path, endpoints: tuple[Endpoint, ...], placeholders: Placeholders
) -> Iterator[Endpoint]:
    """Yield an endpoint, named after its file, for each JSON or XML in a folder that none of these answered.

    The name of the path is not known: "_" may stand for "/", "?", "=" or "&".
    """
    if not folder.is_dir():
        return
    known = {name for each in endpoints for request in each.requests for name in each.file_names(request)}
    for name in sorted(_file_names(folder) - known):
        try:
            body = _read(folder / name)
        except OSError:
            continue
        endpoint = Endpoint(
            chapter="",
            path=printable(placeholders.replace_in_text(name), _MAX_NAME_LENGTH),
            description="",
            methods={"GET": UNKNOWN},
            safety=Safety.READS,
            source=(),
            aliases=(name,),
            format="xml" if body.startswith(b"<") else "json",
        )
        with suppress(ValueError):
            content = parse_answer(body, endpoint)
            if endpoint.requests and isinstance(content, (dict, list)) and "html" not in content:
                yield endpoint


def _file_names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir() if each.is_file() and each.name[0] not in "._"}


def _load_outcomes(file: Path) -> dict[str, Outcome] | None:
    """Return the outcomes of requests without an answer, as --record notes them; None without notes."""
    if not file.exists():
        return None
    try:
        outcomes = orjson.loads(_body(file))["outcomes"]
        return {
            request: outcome
            for request, name in outcomes.items()
            if (outcome := Outcome[name.upper()]) is not Outcome.ANSWERED
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CommandError(f"{file}: not as --record writes it: correct or remove it") from None


def _firmware(folder: Path) -> str:
    try:
        return Info.firmware_from_xml((folder / _INFO).read_bytes())
    except (OSError, EnphaseError):
        return "unknown"


def _body(file: Path) -> bytes:
    try:
        return _read(file)
    except OSError as error:
        raise CommandError(f"{file}: not readable ({error.strerror})") from None


def _read(file: Path) -> bytes:
    """Return the content of a file, up to one byte more than the maximum. Raises OSError."""
    with file.open("rb") as opened:
        return opened.read(_MAX_BYTES + 1)


def _element(element: ElementTree.Element) -> Any:
    children = list(element)
    if not children and not element.attrib:
        return _value((element.text or "").strip())
    result: dict[str, Any] = {f"@{_name(name)}": value for name, value in element.attrib.items()}
    counts = Counter(_name(each.tag) for each in children)
    for child in children:
        name = _name(child.tag)
        if counts[name] == 1:
            result[name] = _element(child)
        else:
            result.setdefault(name, []).append(_element(child))
    return result


def _name(tag: str) -> str:
    """Return the name of an element or attribute without its namespace."""
    return tag.rpartition("}")[2]


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if _INTEGER.fullmatch(text) else text
