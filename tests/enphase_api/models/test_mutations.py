"""Mutated answers of gateways: typed errors or finite values, and errors without text of the answer."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enphase_api import EnphaseError
from enphase_api.models import (
    Batteries,
    DeviceData,
    DryContact,
    Generator,
    Inverter,
    Live,
    Meter,
    Production,
    Quantities,
    Readings,
    Relay,
    Report,
    Site,
    Storage,
    Tariff,
)
from enphase_api.models.storage import SCHED, SECCTRL, TARIFF
from enphase_companion.simulator import Simulator
from tests.houses import JUNE
from tests.recordings import RECORDINGS, needs_recordings

from .helpers import JSON, list_numbers

#: A text that may occur anywhere in an answer, but in no error.
SECRET = "eyJhbGciOiJFUzI1NiJ9"

PROFILES = ["no-meters", "battery", "many-meters", "ac-batteries", "one-of-three"]
PATHS = [
    "/ivp/meters",
    "/ivp/meters/readings",
    "/ivp/meters/reports",
    "/production.json",
    "/api/v1/production/inverters",
    "/ivp/ensemble/inventory",
    "/ivp/ensemble/power",
    "/ivp/ensemble/secctrl",
    "/ivp/livedata/status",
    "/ivp/pdm/device_data",
    "/ivp/ensemble/relay",
    "/ivp/ensemble/generator",
    "/admin/lib/tariff",
    "/ivp/sc/sched",
    "/ivp/ensemble/dry_contacts",
    "/ivp/ss/dry_contact_settings",
]

VALUES = JSON | st.sampled_from(
    [SECRET, 2**63, 1e300, -1, float("nan"), float("inf"), {}, [], [[]], "1", True]
)


@lru_cache
def load_simulated(profile: str) -> dict[str, Any]:
    """Return the answers of a simulated gateway by path."""
    answers = Simulator(profile, hour_of_day=11, day=JUNE).gateway._answers
    return {path: answers.get(path, "") for path in PATHS}


@lru_cache
def load_recorded() -> tuple[dict[str, Any], ...]:
    """Return the answers of recorded gateways."""
    return tuple(dict(_read(folder)) for folder in RECORDINGS)


def _read(folder: Path) -> Iterator[tuple[str, Any]]:
    for path in PATHS:
        file = folder / path.strip("/").replace("/", "_")
        text = file.read_text() if file.is_file() else ""
        if text.strip():
            yield path, json.loads(text)


def list_places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the container and key of every element of a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield value, key
        yield from list_places(inner)


def mutate(answer: Any, draw: Callable[[Any], Any]) -> Any:
    """Return an answer with one to four elements replaced, removed, repeated or renamed."""
    answer = copy.deepcopy(answer)
    for _ in range(draw(st.integers(1, 4))):
        found = list(list_places(answer))
        if not found:
            return draw(VALUES)
        container, key = found[draw(st.integers(0, len(found) - 1))]
        match draw(st.sampled_from(["replace", "replace", "drop", "double", "rename"])):
            case "drop":
                del container[key]
            case "double" if isinstance(container, list):
                container.insert(key, copy.deepcopy(container[key]))
            case "rename" if isinstance(container, dict):
                container[draw(st.sampled_from([SECRET, "eid", "type", "devices"]))] = container.pop(key)
            case _:
                container[key] = draw(VALUES)
    return answer


def list_parsers(answers: dict[str, Any]) -> Iterator[Callable[[], Any]]:
    """Yield each parser, bound to its answers."""
    get = answers.get

    def readings() -> Readings:
        return Readings.from_json(get("/ivp/meters/readings"), Meter.list_from_json(get("/ivp/meters")))

    def batteries() -> Batteries:
        return Batteries.from_json(*map(get, PATHS[5:8]))

    yield lambda: Meter.list_from_json(get("/ivp/meters"))
    yield readings
    yield lambda: [each.as_report() for each in readings()]
    yield lambda: Site.from_readings(readings())
    yield lambda: Site.from_readings(readings(), unmetered_batteries=True, battery_power=batteries().power)
    yield lambda: Report.list_from_json(get("/ivp/meters/reports"))
    yield lambda: Production.from_json(get("/production.json"))
    yield lambda: Inverter.list_from_json(get("/api/v1/production/inverters"))
    if get("/ivp/pdm/device_data") is not None:
        yield lambda: DeviceData.from_json(get("/ivp/pdm/device_data"))
    yield lambda: Relay.from_json(get("/ivp/ensemble/relay"))
    yield lambda: Generator.from_json(get("/ivp/ensemble/generator"))
    # Their settings are kept as they were read.
    yield lambda: [replace(each, settings={}) for each in DryContact.list_from_json(*map(get, PATHS[-2:]))]
    yield batteries
    yield lambda: batteries().with_ac(Production.from_json(get("/production.json")).ac_batteries)
    yield lambda: Live.from_json(get("/ivp/livedata/status"))
    yield lambda: Tariff.from_json(get(TARIFF))
    yield lambda: Storage.from_json(*map(get, (TARIFF, SCHED, SECCTRL)))


def check(answers: dict[str, Any]) -> None:
    """Run all parsers: values are finite, and errors are the client's and do not repeat the answer."""
    for read in list_parsers(answers):
        found, message = None, ""
        try:
            found = read()
        except EnphaseError as error:
            message = f"{error!r} {error} {error.__cause__!r}"
        assert SECRET not in message
        parts = found if isinstance(found, list) else [found]
        assert all(map(math.isfinite, (number for part in parts for number in list_numbers(part))))


@pytest.mark.parametrize("profile", PROFILES)
@given(data=st.data())
def test_a_mutated_simulated_answer_is_parsed_or_rejected(profile: str, data: st.DataObject) -> None:
    answers = dict(load_simulated(profile))
    path = data.draw(st.sampled_from([path for path in PATHS if answers[path] is not None]))
    check(answers | {path: mutate(answers[path], data.draw)})


@needs_recordings
@given(data=st.data())
def test_a_mutated_recorded_answer_is_parsed_or_rejected(data: st.DataObject) -> None:
    answers = data.draw(st.sampled_from(load_recorded()))
    path = data.draw(st.sampled_from(sorted(answers)))
    check(answers | {path: mutate(answers[path], data.draw)})


@pytest.mark.parametrize("profile", PROFILES)
def test_every_parser_reads_the_unchanged_answers(profile: str) -> None:
    for read in list_parsers(load_simulated(profile)):
        read()


def test_numbers_are_found_in_parsed_answers() -> None:
    assert list_numbers((Quantities(active_power=math.inf, voltage=230),)) == [math.inf]
