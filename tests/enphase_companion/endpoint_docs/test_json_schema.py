"""JSON Schemas and the OpenAPI description: valid for public validators, and true of the answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from enphase_companion.endpoint_docs.answers import Answer, Outcome, Recording, load_recording
from enphase_companion.endpoint_docs.catalogue import ANY_NAME, Endpoint, load_catalogue
from enphase_companion.endpoint_docs.json_schema import build_file, build_schema
from enphase_companion.endpoint_docs.openapi import build_openapi
from enphase_companion.endpoint_docs.pages import find_answers
from enphase_companion.endpoint_docs.placeholders import Placeholder
from tests.recordings import RECORDINGS, needs_recordings

CATALOGUE = load_catalogue()


def build_schemas(recordings: list[Recording]) -> dict[str, dict[str, Any]]:
    return {
        endpoint.page: build_schema(endpoint, [content for _, content in find_answers(endpoint, recordings)])
        for endpoint in CATALOGUE
    }


def find_endpoint(path: str) -> Endpoint:
    return next(each for each in CATALOGUE if each.path == path)


@needs_recordings
def test_recorded_answers_are_valid_against_the_schema_of_their_endpoint() -> None:
    recordings = [load_recording(folder, CATALOGUE)[0] for folder in RECORDINGS]
    # The last gateway's own schemas, and those of all gateways.
    for schemas, gateways in (
        (build_schemas(recordings[-1:]), recordings[-1:]),
        (build_schemas(recordings), recordings),
    ):
        for endpoint in CATALOGUE:
            validator = Draft202012Validator(schemas[endpoint.page])
            for _, content in find_answers(endpoint, gateways):
                # Of 60 microinverters, three are enough.
                validator.validate(content[:3] if isinstance(content, list) else content)


def test_the_schemas_of_the_catalogue_alone_are_valid() -> None:
    for schema in build_schemas([]).values():
        Draft202012Validator.check_schema(schema)


@needs_recordings
def test_the_openapi_description_of_recorded_gateways_is_valid() -> None:
    recordings = [load_recording(folder, CATALOGUE)[0] for folder in RECORDINGS]
    description = build_openapi(CATALOGUE, build_schemas(recordings), recordings)
    OpenAPIV31SpecValidator(description).validate()
    assert description["paths"].keys() == {endpoint.path for endpoint in CATALOGUE}
    info = description["components"]["schemas"]["info"]
    assert (info["xml"], "device" in info["properties"]) == ({"name": "envoy_info"}, True)


def test_the_openapi_description_of_the_catalogue_alone_is_valid() -> None:
    OpenAPIV31SpecValidator(build_openapi(CATALOGUE, build_schemas([]), [])).validate()


def test_a_field_has_its_unit_and_meaning_and_is_required_if_it_is_always_present() -> None:
    answers = [[{"eid": 1, "activePower": 5}, {"eid": 2, "new": None}], [{"eid": 3, "new": [1, 2.5]}]]
    schema = build_schema(find_endpoint("/ivp/meters/readings"), answers)
    assert schema["items"]["required"] == ["eid"]
    fields = schema["items"]["properties"]
    assert fields["activePower"]["x-unit"] == "W"
    assert fields["activePower"]["type"] == "number"
    assert fields["new"] == {"type": ["array", "null"], "items": {"type": "number"}}
    validator = Draft202012Validator(schema)
    assert validator.is_valid([{"eid": 1}])
    assert not validator.is_valid([{"activePower": 5}])
    assert not validator.is_valid([{"eid": "one"}])


def test_objects_under_serial_numbers_share_a_schema() -> None:
    answer = {"122200000001": {"soc": 5}, "122200000002": {"soc": 7.5}}
    schema = build_schema(find_endpoint("/home.json"), [{"batteries": answer}])
    batteries = schema["properties"]["batteries"]
    assert batteries["additionalProperties"]["properties"] == {"soc": {"type": "number"}}
    assert "122200000001" not in json.dumps(schema)


def test_ids_beside_any_other_name_share_its_schema() -> None:
    endpoint = find_endpoint("/ivp/peb/devstatus")
    assert ANY_NAME in endpoint.fields[""]
    schema = build_schema(endpoint, [{"122200000001": {}, "pcu": {}}])
    assert schema["properties"].keys() == {"pcu"}
    assert schema["additionalProperties"]["description"] == endpoint.fields[""][ANY_NAME].meaning


@pytest.mark.parametrize("name", ["a/b~c", "$ref", "{id}", "\u202e", "", "<script>", 'a"b', "@type"])
def test_any_name_of_a_field_leaves_schema_and_description_valid(name: str) -> None:
    answer = {name: {name: [name, Placeholder(name)]}, "type": {"$ref": name}, "required": 1, "xml": {}}
    recording = Recording(name, {"/home.json": Answer(Outcome.ANSWERED, answer)})
    endpoint = find_endpoint("/home.json")
    schema = build_schema(endpoint, [answer])
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(answer)
    OpenAPIV31SpecValidator(build_openapi([endpoint], {endpoint.page: schema}, [recording])).validate()
    (text,) = build_file("a", schema, Outcome.ANSWERED).facts
    assert json.loads("{" + text) == schema
