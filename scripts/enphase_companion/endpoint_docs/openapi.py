"""Build the OpenAPI 3.1 description of a whole gateway, from the catalogue and the schemas of its answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .answers import Outcome, Recording
from .catalogue import UNKNOWN, Endpoint

FILE_NAME = "openapi"

_VERSION = "3.1.0"
_MEDIA_TYPES = {"xml": "application/xml", "text": "text/plain", "events": "text/event-stream"}
_PARAMETER = re.compile(r"\{(\w+)\}")
#: Other characters are not allowed in the names of components.
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]")
#: Keys of a file that are no part of a schema inside this one.
_ONLY_IN_FILES = ("$schema",)
_FAILURES = {
    "401": "The token is missing, has expired, or its role does not suffice.",
    "404": "This gateway does not have the endpoint.",
}


def build_openapi(
    endpoints: Sequence[Endpoint],
    schemas: Mapping[str, Mapping[str, Any]],
    recordings: Sequence[Recording],
) -> dict[str, Any]:
    """Return the description of these endpoints; `schemas` are those of their answers, by page."""
    firmware = list(dict.fromkeys(each.firmware for each in recordings))
    return {
        "openapi": _VERSION,
        "info": {
            "title": "Local API of the Enphase IQ Gateway",
            "version": ", ".join(firmware) or "unknown",
            "description": "From a catalogue of known endpoints and anonymized answers of a gateway; the "
            "version is the firmware that answered. Not by Enphase.",
        },
        "servers": [{"url": "https://{gateway}", "variables": {"gateway": {"default": "envoy.local"}}}],
        "tags": [{"name": each} for each in dict.fromkeys(endpoint.chapter for endpoint in endpoints)],
        "paths": {
            endpoint.path: _path(endpoint, schemas.get(endpoint.page), recordings) for endpoint in endpoints
        },
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of the gateway, from https://entrez.enphaseenergy.com",
                }
            },
            "schemas": {
                _component(endpoint): _content(endpoint, schemas[endpoint.page])
                for endpoint in endpoints
                if endpoint.page in schemas
            },
        },
    }


def _path(
    endpoint: Endpoint, schema: Mapping[str, Any] | None, recordings: Sequence[Recording]
) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(endpoint.path)
    ]
    result: dict[str, Any] = {"parameters": parameters} if parameters else {}
    for method, role in endpoint.methods.items():
        result[method.lower()] = _operation(endpoint, method, role, schema, recordings)
    return result


def _operation(
    endpoint: Endpoint,
    method: str,
    role: str,
    schema: Mapping[str, Any] | None,
    recordings: Sequence[Recording],
) -> dict[str, Any]:
    reads = method == "GET"
    answer: dict[str, Any] = {"description": "The answer."}
    if reads and schema is not None:
        media_type = _MEDIA_TYPES.get(endpoint.format, "application/json")
        answer["content"] = {media_type: {"schema": {"$ref": f"#/components/schemas/{_component(endpoint)}"}}}
    outcomes = sorted(
        {
            recording.answers[request].outcome.value
            for recording in recordings
            for request in endpoint.requests
            if request in recording.answers
            and recording.answers[request].outcome is not Outcome.NOT_REQUESTED
        }
    )
    return {
        "operationId": f"{method.lower()}_{_component(endpoint)}",
        "tags": [endpoint.chapter],
        "summary": endpoint.description.partition(". ")[0].rstrip("."),
        "description": endpoint.description,
        **({"parameters": list(_queries(endpoint))} if reads and endpoint.queries else {}),
        **({} if reads else {"requestBody": {"content": {"application/json": {"schema": {}}}}}),
        "responses": {"200": answer, **{code: {"description": text} for code, text in _FAILURES.items()}},
        # The names are roles.
        "security": [] if role == "none" else [{"token": [] if role == UNKNOWN else [role]}],
        **({"x-safety": endpoint.safety.value} if reads else {}),
        **({"x-outcome": outcomes or [Outcome.NOT_REQUESTED.value]} if reads else {}),
    }


def _queries(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    effects: dict[str, list[tuple[str, str]]] = {}
    for query, effect in endpoint.queries.items():
        name, _, value = query.partition("=")
        effects.setdefault(name, []).append((value, effect))
    for name, values in effects.items():
        yield {
            "name": name,
            "in": "query",
            "description": "; ".join(f"{value}: {effect}" for value, effect in values),
            "schema": {"type": "string", "enum": [value for value, _ in values]},
        }


def _content(endpoint: Endpoint, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an answer's content: in XML, that of its root element, which has a name."""
    result = {key: value for key, value in schema.items() if key not in _ONLY_IN_FILES}
    properties = result.get("properties", {})
    if endpoint.format == "xml" and len(properties) == 1:
        ((name, root),) = properties.items()
        return {"title": result["title"], **root, "xml": {"name": name}}
    return result


def _component(endpoint: Endpoint) -> str:
    return _NO_NAME.sub("_", endpoint.page)
