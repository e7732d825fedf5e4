"""Every recording in the folders that ENPHASE_RECORDINGS names, also those that owners sent.

A recording becomes a test by being put there; with -s, the test prints what it checks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from enphase_api.local import Gateway
from enphase_companion.endpoint_docs.anonymize import anonymize
from enphase_companion.endpoint_docs.answers import Outcome, load_recording
from enphase_companion.endpoint_docs.catalogue import find_field, load_catalogue
from enphase_companion.endpoint_docs.placeholders import Placeholders
from enphase_companion.endpoint_docs.schema import infer_schema
from enphase_companion.simulator import Simulator
from tests.recordings import RECORDINGS, needs_recordings

CATALOGUE = load_catalogue()

pytestmark = [
    needs_recordings,
    pytest.mark.parametrize("folder", RECORDINGS, ids=lambda folder: folder.name),
]


def read(folder: Path, name: str) -> Any:
    """Return a recorded answer, or an empty list without one."""
    file = folder / name
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return json.loads(text) if text.strip() else []


async def test_the_client_reads_a_recorded_gateway(folder: Path) -> None:
    with Simulator(replay=folder) as simulator:
        async with Gateway(simulator.url, certificate=simulator.certificate_pem) as gateway:
            assert await gateway.login(simulator.token())
            info = await gateway.info()
            readings, production = await gateway.readings(), await gateway.production()
            inverters, batteries = await gateway.inverters(), await gateway.batteries()
    recorded = {each["eid"]: each for each in read(folder, "ivp_meters_readings")}
    enabled = [each for each in read(folder, "ivp_meters") if each["state"] == "enabled"]
    assert {each.meter.eid for each in readings} == {each["eid"] for each in enabled} & recorded.keys()
    for reading in readings:
        # A value that a known bug of the firmware makes wrong is none.
        assert reading.total.active_power in (recorded[reading.meter.eid]["activePower"], None)
    serials = [each["serialNumber"] for each in read(folder, "api_v1_production_inverters")]
    # Where AC Batteries are listed too, those are none.
    found = [each.serial_number for each in inverters]
    assert found == [serial for serial in serials if serial in found]
    assert bool(found) == bool(serials)
    assert (production.meter or production.inverters) is not None
    kinds = ", ".join(str(each.meter.measurement_type) for each in readings)
    print(
        f"\n{folder.name}: firmware {info.firmware}; meters: {kinds or 'none'}; {len(inverters)} "
        f"microinverters; {len(batteries.units)} batteries"
    )


def test_what_the_catalogue_does_not_know_of_a_recording_is_printed(folder: Path) -> None:
    recording, others = load_recording(folder, CATALOGUE)
    answered, unknown = 0, list(others)
    for endpoint in CATALOGUE:
        for request in endpoint.requests:
            if recording.answers[request].outcome is Outcome.ANSWERED:
                answered += 1
                unknown += [
                    f"{request} {path}.{name}"
                    for path, schema in infer_schema([recording.answers[request].content]).items()
                    for name in schema.fields
                    if not find_field(endpoint.fields.get(path, {}), name).type
                ]
    print(f"\n{folder.name}: {answered} answers; not in the catalogue: {', '.join(unknown) or 'nothing'}")
    assert answered


def test_anonymizing_a_recording_again_changes_nothing(folder: Path) -> None:
    once = anonymize(load_recording(folder, CATALOGUE)[0], CATALOGUE, Placeholders())
    again = anonymize(once, CATALOGUE, Placeholders())
    assert again == once
