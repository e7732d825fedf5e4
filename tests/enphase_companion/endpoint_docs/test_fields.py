"""Every field of the recorded and simulated answers is in the catalogue, with type and unit.

Of recordings that owners sent, test_received_recordings.py prints the fields that the catalogue lacks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

import pytest

from enphase_companion.endpoint_docs.answers import Outcome, load_recording
from enphase_companion.endpoint_docs.catalogue import ANY_NAME, Endpoint, find_field, load_catalogue
from enphase_companion.endpoint_docs.schema import FieldSchema, ObjectSchema, infer_schema
from enphase_companion.simulator.answers import SimulatedAnswers
from enphase_companion.simulator.house import Clock, House
from enphase_companion.simulator.profiles import find
from tests.recordings import KNOWN, find_recording

from ...houses import JUNE

ALL = load_catalogue()

#: Words of the names of numbers with a unit.
MEASURES = re.compile(
    r"watt|wh|power(?!Conv)|energy|joule|volt|current(?!_)|amp|freq|temp|percent|soc|soh|vah|vars?(?![a-z])|"
    r"_(?:w|mw|mva|mv|ma|mhz|hz|v|va)(?:_|$)|duration|time|date|created|installed|capacity|rate$|_limit$",
    re.IGNORECASE,
)
#: Numbers without a unit whose names look otherwise, and those whose unit nobody knows.
WITHOUT_UNIT = {"pwrFactor", "override_chg_dischg_rate", "slew_rate"}


@cache
def recorded_schemas() -> dict[str, dict[str, ObjectSchema]]:
    """Return the schema of the recorded answers by path."""
    answers: dict[str, list[object]] = {}
    for name in KNOWN:
        recording, others = load_recording(find_recording(name), ALL)
        assert others == [], "an answer without an entry in the catalogue"
        for endpoint in ALL:
            for request in endpoint.requests:
                if recording.answers[request].outcome is Outcome.ANSWERED:
                    answers.setdefault(endpoint.path, []).append(recording.answers[request].content)
    return {path: infer_schema(contents) for path, contents in answers.items()}


def find_mismatch(field: FieldSchema, types: str) -> set[str]:
    """Return the recorded types that the catalogue's do not allow."""
    allowed = set(types.split(" or "))
    if "number" in allowed:
        allowed.add("integer")
    if any(each.startswith("list") for each in allowed):
        # An empty list has no type of elements.
        allowed.add("list")
    return field.types - allowed


def find_differences(endpoint: Endpoint, objects: Mapping[str, ObjectSchema]) -> list[str]:
    """Return the fields that the catalogue does not have, or with another type."""
    differences = []
    for path, found in objects.items():
        for name, field in found.fields.items():
            about, where = find_field(endpoint.fields.get(path, {}), name), f"{path}.{name}"
            if not about.type:
                differences.append(f"{where} is missing")
            elif find_mismatch(field, about.type):
                differences.append(f"{where} is {field.type}, not {about.type}")
    return differences


@pytest.mark.parametrize("endpoint", ALL, ids=lambda each: each.path)
def test_recorded_fields_have_their_type(endpoint: Endpoint) -> None:
    assert find_differences(endpoint, recorded_schemas().get(endpoint.path, {})) == []


@pytest.mark.parametrize("profile", ["cloud-controlled", "generator", "meter-collar", "many-meters"])
def test_simulated_fields_have_their_type(profile: str) -> None:
    """The simulator also has what no recording has: the live status, the scheduler, the generator."""
    start, compared = datetime(2026, 6, 21, 12, tzinfo=UTC).timestamp(), set()
    clock = Clock(1, start)
    answers = SimulatedAnswers(House(find(profile), 1, start, 0, day=JUNE), clock, "122300000001")
    for endpoint in ALL:
        for request in endpoint.requests if endpoint.format == "json" else ():
            path, _, query = request.partition("?")
            answer = answers.get(path, query)
            if answer is not None:
                assert find_differences(endpoint, infer_schema([answer])) == [], request
                compared.add(path)
    assert {"/home.json", "/ivp/livedata/status", "/ivp/sc/sched", "/ivp/sc/status"} <= compared


@pytest.mark.parametrize("endpoint", ALL, ids=lambda each: each.path)
def test_fields_that_measure_have_a_unit(endpoint: Endpoint) -> None:
    """Those of the recordings, which are all in the catalogue, and the others."""
    for path, fields in endpoint.fields.items():
        for name, field in fields.items():
            if name != ANY_NAME and {"integer", "number"} & set(field.type.split(" or ")):
                is_measured = MEASURES.search(name) and name not in WITHOUT_UNIT
                assert field.unit or not is_measured, f"{path}.{name}"
