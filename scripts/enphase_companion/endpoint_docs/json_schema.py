"""Build the JSON Schema (2020-12) of an endpoint's answers, from the catalogue and anonymized answers.

Units are annotations, `x-unit`. Known values are examples and no enumeration, as other firmware has others.
An answer in XML is described as the object that `parse_answer` makes of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .answers import Outcome
from .catalogue import ANY_NAME, Endpoint, Field, find_field
from .pages import Page
from .schema import ANY_ID, FieldSchema, ObjectSchema, infer_schema, join_path, without_integer

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_COMMENT = "x-comment"
_LIST = "list of "
#: The types of elements, in the catalogue's plural.
_SINGULARS = {
    "objects": "object",
    "strings": "string",
    "integers": "integer",
    "numbers": "number",
    "lists": "list",
}


def build_schema(endpoint: Endpoint, contents: Sequence[Any]) -> dict[str, Any]:
    """Return the schema of an endpoint's answers, which describes these `contents` too."""
    objects = infer_schema(contents)
    answer = FieldSchema()
    answer.add(contents)
    if not contents and endpoint.fields:
        is_list = any(path.startswith("[]") for path in endpoint.fields)
        answer.types, answer.elements = ({"list"}, {"object"}) if is_list else ({"object"}, set())
    return {
        "$schema": DIALECT,
        "title": endpoint.path,
        "description": endpoint.description,
        **_Builder(endpoint.fields, objects).build("", answer.types, answer.elements),
    }


def read_schema(file: Path) -> dict[str, Any] | None:
    """Return the schema that an earlier run wrote to this file; None without one."""
    try:
        schema = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(schema, dict) or schema.pop(_COMMENT, None) is None:
        return None
    return schema


class JsonFile:
    """JSON as a markup language of which a file has only the comment, its first member."""

    suffix = ".json"

    def comment(self, text: str) -> str:
        """Return the beginning of the file, to which `build_file` adds the rest."""
        return f'{{"{_COMMENT}": {json.dumps(text)},'


def build_file(name: str, content: Mapping[str, Any], outcome: Outcome) -> Page:
    """Return a JSON object, which is not empty, as a page."""
    text = json.dumps(content, indent=2, ensure_ascii=True)
    return Page(name, outcome, (text.removeprefix("{\n"),))


class _Builder:
    """Builds the schemas of values by path, as in schema.py."""

    def __init__(self, known: Mapping[str, Mapping[str, Field]], objects: Mapping[str, ObjectSchema]) -> None:
        self._known = known
        self._objects = objects

    def build(self, path: str, types: set[str], elements: set[str]) -> dict[str, Any]:
        """Return the schema of the values of a path, of these types; no types: any value."""
        names = sorted("array" if each == "list" else each for each in without_integer(types))
        result: dict[str, Any] = {"type": names[0] if len(names) == 1 else names} if names else {}
        if "object" in types:
            result |= self._build_object(path)
        if "list" in types and elements:
            result["items"] = self.build(f"{path}[]", elements, set())
        return result

    def _build_object(self, path: str) -> dict[str, Any]:
        known = self._known.get(path, {})
        found = self._objects.get(path, ObjectSchema())
        names = [*known, *sorted(found.fields.keys() - known.keys())]
        properties = {
            name: self._build_field(
                join_path(path, name), name, find_field(known, name), found.fields.get(name)
            )
            for name in names
        }
        # Ids have the facts of any name.
        any_name, any_id = properties.pop(ANY_NAME, None), properties.pop(ANY_ID, None)
        others = any_id or any_name
        required = sorted(name for name in properties if _is_always_in(name, found))
        return {
            **({"properties": properties} if properties else {}),
            **({"required": required} if required else {}),
            **({"additionalProperties": others} if others is not None else {}),
        }

    def _build_field(self, path: str, name: str, known: Field, found: FieldSchema | None) -> dict[str, Any]:
        types, elements = _types(known)
        if found is not None:
            types, elements = types | found.types, elements | found.elements
        values = sorted({*known.values, *(found.values if found else ())})
        return {
            **self.build(path, types, elements),
            **({"description": known.meaning} if known.meaning else {}),
            **({"x-unit": known.unit} if known.unit else {}),
            **({"examples": values} if values else {}),
            **({"xml": {"name": name[1:], "attribute": True}} if name[0:1] == "@" else {}),
        }


def _is_always_in(name: str, found: ObjectSchema) -> bool:
    return name in found.fields and found.fields[name].count == found.count


def _types(known: Field) -> tuple[set[str], set[str]]:
    """Return the types of a field and of its elements, as the catalogue knows them."""
    types, elements = set(), set()
    for kind in filter(None, known.type.split(" or ")):
        if kind.startswith(_LIST):
            types.add("list")
            elements.add(_SINGULARS.get(each := kind.removeprefix(_LIST), each))
        else:
            types.add(kind)
    return types, elements
