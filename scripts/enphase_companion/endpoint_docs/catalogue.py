"""The catalogue of endpoints: facts that answers do not contain, from the TOML files in endpoints/.

A file is a chapter: its `title`, `groups` of fields that several objects share, and its endpoints, whose keys
are in `_REQUIRED` and `_OPTIONAL`. The fields of an object are listed under its path, as in schema.py; "*"
includes a group, or each of several, and "{name}" stands for every field that is not listed. A field has a
type, unit, meaning and, optionally, known values. Braces in a path, such as {eid}, stand for a value.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

#: No token, and the roles of one, from the lowest to the highest. Enphase issues tokens of owners and of
#: installers; the gateway's own rules also name the others.
ROLES = ("none", "anybody", "owner", "prov", "support", "installer")
UNKNOWN = "unknown"

#: A name of the catalogue that stands for every other name in an object.
ANY_NAME = "{name}"

_METHODS = ("GET", "POST", "PUT", "DELETE")
_FORMATS = ("json", "xml", "text", "events")
_SCALARS = ("string", "integer", "number", "boolean", "object", "null")
_LISTS = (
    "list",
    "list of objects",
    "list of strings",
    "list of integers",
    "list of numbers",
    "list of lists",
)
_FIRMWARE = re.compile(r"\d+(\.\d+)*")

_REQUIRED = ("path", "description", "methods", "safety", "source")
_OPTIONAL = ("aliases", "queries", "format", "firmware", "since", "until", "seconds", "fields")


class CatalogueError(ValueError):
    """An entry of the catalogue is invalid; the message names the file, the entry and the key."""


class Safety(Enum):
    """What a GET does."""

    #: It only reads, and ends.
    READS = "reads"
    #: It starts an action, never ends, or does not exist: other methods change something.
    ACTS = "acts"
    #: Nobody has shown that it only reads.
    UNKNOWN = UNKNOWN


@dataclass(frozen=True)
class Field:
    """The facts about a field; empty if unknown."""

    type: str = ""  #: as schema.py names it; several are joined by " or "
    unit: str = ""
    meaning: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Endpoint:
    """The facts about an endpoint."""

    chapter: str
    path: str
    description: str
    methods: Mapping[str, str]  #: lowest role by method: one of ROLES, or "unknown"
    safety: Safety
    source: tuple[str, ...]  #: public names of where these facts come from
    aliases: tuple[str, ...] = ()  #: other paths with the same answers
    queries: Mapping[str, str] = field(default_factory=dict)  #: effect by query
    format: str = "json"
    firmware: tuple[str, ...] = ()  #: versions whose answers are known, ascending
    since: str = ""  #: the first version that has it; empty if unknown
    until: str = ""  #: the last version that has it; empty if unknown, or if the newest has it
    seconds: tuple[float, float] | None = None  #: the shortest and the longest that real gateways took
    fields: Mapping[str, Mapping[str, Field]] = field(
        default_factory=dict
    )  #: by path of the object, then by name

    @property
    def safe(self) -> bool:
        """Whether it is known that a GET only reads, and ends."""
        return self.safety is Safety.READS

    @property
    def requests(self) -> tuple[str, ...]:
        """The paths, with queries, that are safe to request; none with a value to insert."""
        if not self.safe or "GET" not in self.methods or "{" in self.path:
            return ()
        return (self.path, *(f"{self.path}?{query}" for query in self.queries))

    @property
    def page(self) -> str:
        """Name of its page, without suffix."""
        return file_name(self.path)

    def file_names(self, request: str) -> tuple[str, ...]:
        """Return the names that a file with the answer to one of its requests may have, its own first."""
        query = request.removeprefix(self.path)
        return tuple(file_name(f"{path}{query}") for path in (self.path, *self.aliases))


def file_name(request: str) -> str:
    """Return the file name of a request: production.json_details_1 for /production.json?details=1."""
    return request.strip("/").translate(str.maketrans("/?=&", "____", "{}"))


def find_field(fields: Mapping[str, Field], name: str) -> Field:
    """Return the facts about a field of an object: its own, those of any other name, or empty ones."""
    return fields.get(name) or fields.get(ANY_NAME) or Field()


def load_catalogue(folder: Traversable | None = None) -> tuple[Endpoint, ...]:
    """Return all endpoints of a catalogue (default: this package's), sorted by chapter and path.

    Raises CatalogueError for an invalid entry.
    """
    folder = folder or files(__package__).joinpath("endpoints")
    sources = sorted(
        (each for each in folder.iterdir() if each.name.endswith(".toml")), key=lambda each: each.name
    )
    endpoints = [
        endpoint
        for each in sources
        for endpoint in parse_chapter(each.read_text(encoding="utf-8"), each.name)
    ]
    return tuple(sorted(endpoints, key=lambda each: (each.chapter, each.path)))


def parse_chapter(text: str, name: str) -> list[Endpoint]:
    """Return the endpoints of a chapter; `name` is that of its file.

    Raises CatalogueError for an invalid entry.
    """
    try:
        chapter = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{name}: {error}") from None
    endpoints = []
    for number, content in enumerate(chapter.get("endpoint", ()), 1):
        where = f"{name}: {content.get('path', f'endpoint {number}')}"
        _check(content, where)
        endpoints.append(_endpoint(content, chapter["title"], chapter.get("groups", {}), where))
    return endpoints


def _check(content: Mapping[str, Any], where: str) -> None:
    """Raise CatalogueError if a required key is missing or empty, or a value is not one of the known ones."""
    for key in _REQUIRED:
        if not content.get(key):
            raise CatalogueError(f"{where}: {key} is missing")
    for key in content.keys() - {*_REQUIRED, *_OPTIONAL}:
        raise CatalogueError(f"{where}: {key} is not a key of an endpoint")
    for method, role in content["methods"].items():
        _require_one_of(method, _METHODS, f"{where}: methods")
        _require_one_of(role, (*ROLES, UNKNOWN), f"{where}: methods: {method}")
    _require_one_of(content["safety"], [each.value for each in Safety], f"{where}: safety")
    _require_one_of(content.get("format", "json"), _FORMATS, f"{where}: format")
    for version in (
        *content.get("firmware", ()),
        *(content[key] for key in ("since", "until") if key in content),
    ):
        if not _FIRMWARE.fullmatch(version):
            raise CatalogueError(f"{where}: {version!r} is not a firmware version")
    if len(seconds := content.get("seconds", (0, 0))) != 2:
        raise CatalogueError(f"{where}: seconds must be the shortest and the longest time")
    shortest, longest = seconds
    if not 0 <= shortest <= longest:
        raise CatalogueError(f"{where}: seconds: {shortest:g} to {longest:g} is not a range")


def _require_one_of(value: str, known: tuple[str, ...] | list[str], where: str) -> None:
    if value not in known:
        raise CatalogueError(f"{where}: {value!r} is not one of {', '.join(known)}")


def _endpoint(content: Mapping[str, Any], chapter: str, groups: Mapping[str, Any], where: str) -> Endpoint:
    seconds = content.get("seconds")
    return Endpoint(
        chapter=chapter,
        path=content["path"],
        description=content["description"],
        methods=content["methods"],
        safety=Safety(content["safety"]),
        source=tuple(content["source"]),
        aliases=tuple(content.get("aliases", ())),
        queries=content.get("queries", {}),
        format=content.get("format", "json"),
        firmware=tuple(content.get("firmware", ())),
        since=content.get("since", ""),
        until=content.get("until", ""),
        seconds=None if seconds is None else (seconds[0], seconds[1]),
        fields={
            path: _fields(fields, groups, f"{where}: fields of {path!r}")
            for path, fields in content.get("fields", {}).items()
        },
    )


def _fields(content: Mapping[str, Any], groups: Mapping[str, Any], where: str) -> dict[str, Field]:
    result: dict[str, Field] = {}
    for name, about in content.items():
        if name == "*":
            for group in [about] if isinstance(about, str) else about:
                if group not in groups:
                    raise CatalogueError(f"{where}: there is no group {group!r}")
                result |= _fields(groups[group], groups, where)
            continue
        if len(about) not in (3, 4):
            raise CatalogueError(f"{where}: {name}: needs a type, a unit and a meaning, and may have values")
        kind, unit, meaning, *values = about
        for each in kind.split(" or "):
            _require_one_of(each, (*_SCALARS, *_LISTS), f"{where}: {name}")
        result[name] = Field(kind, unit, meaning, tuple(values[0]) if values else ())
    return result
