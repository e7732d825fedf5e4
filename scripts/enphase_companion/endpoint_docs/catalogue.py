"""The catalogue of endpoints: facts that answers do not contain, from the TOML files in endpoints/.

A file has a `title`, `groups` of fields that several objects share, and endpoints: `path`, `summary`,
`methods` with the lowest role that each requires, `queries` with their effects, `safe` (a GET only reads, and
ends), `format` (json or xml), and the `firmware` whose answers are known. The fields of an object are listed
under its path, as in schema.py; "*" includes a group. A field has a type, unit, meaning and, optionally,
known values.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Field:
    """The facts about a field; empty if unknown."""

    type: str = ""
    unit: str = ""
    meaning: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Endpoint:
    """The facts about an endpoint."""

    chapter: str
    path: str
    summary: str
    methods: Mapping[str, str]  #: lowest role by method
    queries: Mapping[str, str]  #: effect by query
    safe: bool
    format: str
    firmware: tuple[str, ...]
    fields: Mapping[str, Mapping[str, Field]]  #: by path of the object, then by name

    @property
    def requests(self) -> tuple[str, ...]:
        """The paths, with queries, that are safe to request; none if a GET does more than read."""
        if not self.safe or "GET" not in self.methods:
            return ()
        return (self.path, *(f"{self.path}?{query}" for query in self.queries))

    @property
    def page(self) -> str:
        """Name of its page, without suffix."""
        return file_name(self.path)


def file_name(request: str) -> str:
    """Return the file name of a request: production.json_details_1 for /production.json?details=1."""
    return request.strip("/").translate(str.maketrans("/?=&", "____"))


def load_catalogue() -> tuple[Endpoint, ...]:
    """Return all endpoints, sorted by chapter and path."""
    sources = sorted(files(__package__).joinpath("endpoints").iterdir(), key=lambda each: each.name)
    chapters = [tomllib.loads(each.read_text(encoding="utf-8")) for each in sources]
    endpoints = [
        _endpoint(content, chapter["title"], chapter.get("groups", {}))
        for chapter in chapters
        for content in chapter["endpoint"]
    ]
    return tuple(sorted(endpoints, key=lambda each: (each.chapter, each.path)))


def _endpoint(content: Mapping[str, Any], chapter: str, groups: Mapping[str, Any]) -> Endpoint:
    return Endpoint(
        chapter=chapter,
        path=content["path"],
        summary=content["summary"],
        methods=content["methods"],
        queries=content.get("queries", {}),
        safe=content.get("safe", False),
        format=content.get("format", "json"),
        firmware=tuple(content["firmware"]),
        fields={path: _fields(fields, groups) for path, fields in content.get("fields", {}).items()},
    )


def _fields(content: Mapping[str, Any], groups: Mapping[str, Any]) -> dict[str, Field]:
    result: dict[str, Field] = {}
    for name, about in content.items():
        if name == "*":
            result |= _fields(groups[about], groups)
        else:
            kind, unit, meaning, *values = about
            result[name] = Field(kind, unit, meaning, tuple(values[0]) if values else ())
    return result
