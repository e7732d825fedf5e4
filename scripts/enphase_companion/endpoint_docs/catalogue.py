"""The catalogue of endpoints: facts that no answer tells, from the TOML files in endpoints/.

A file has a `title`, groups of fields that several objects share, and endpoints: `path`, `summary`, `methods`
with the least role each needs, `queries` with what they do, `safe` where a GET only reads and ends, `format`
(json, or xml), and the `firmware` whose answers were seen. Fields stand by the object that they are in, as
schema.py writes it; "*" brings in a group. A field is its type, unit, meaning and, for some, known values.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Field:
    """What is known of a field; empty where it is not."""

    type: str = ""
    unit: str = ""
    meaning: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Endpoint:
    """What is known of an endpoint."""

    chapter: str
    path: str
    summary: str
    methods: Mapping[str, str]  #: the least role by method
    queries: Mapping[str, str]  #: what a query does
    safe: bool
    format: str
    firmware: tuple[str, ...]
    fields: Mapping[str, Mapping[str, Field]]  #: by object, then by name

    @property
    def requests(self) -> tuple[str, ...]:
        """Paths, with their queries, that may be asked for; none where a GET does more than read."""
        if not self.safe or "GET" not in self.methods:
            return ()
        return (self.path, *(f"{self.path}?{query}" for query in self.queries))

    @property
    def page(self) -> str:
        """Name of its page, without an ending."""
        return file_name(self.path)


def file_name(request: str) -> str:
    """Return a request as the name of a file: /production.json?details=1 is production.json_details_1."""
    return request.strip("/").translate(str.maketrans("/?=&", "____"))


def catalogue() -> tuple[Endpoint, ...]:
    """Return all endpoints, by chapter and path."""
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
        fields={place: _fields(fields, groups) for place, fields in content.get("fields", {}).items()},
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
