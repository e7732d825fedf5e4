"""The replay of a folder of recorded answers."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
import pytest
from pyenphase import Envoy

from enphase_companion.simulator import Simulator
from tests.recordings import RECORDINGS, needs_recordings


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Return a small recording."""
    files = {
        "info": "<envoy_info><device><sn>122300000077</sn></device></envoy_info>",
        "ivp_meters": '[{"eid": 1}]',
        "ivp_meters_readings": "",
        "production.json": '{"production": []}',
        "inventory.json_deleted_1": '[{"type": "PCU"}]',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path.parent / "secret").write_text("{}")
    return tmp_path


async def request(session: aiohttp.ClientSession, simulator: Simulator, path: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {simulator.token()}"}
    async with session.get(simulator.url + path, headers=headers) as response:
        return response.status, await response.text()


async def test_a_recorded_answer_is_served_at_its_path(
    recording: Path, session: aiohttp.ClientSession
) -> None:
    with Simulator(replay=recording) as running:
        assert running.serial_number == "122300000077"
        assert await request(session, running, "/info") == (200, (recording / "info").read_text())
        for path, expected in (
            ("/ivp/meters", [{"eid": 1}]),
            ("/production.json", {"production": []}),
            ("/production.json?details=1", {"production": []}),
            ("/inventory.json?deleted=1", [{"type": "PCU"}]),
        ):
            status, text = await request(session, running, path)
            assert (status, json.loads(text)) == (200, expected)


async def test_an_anonymized_serial_number_is_served_as_digits(
    recording: Path, session: aiohttp.ClientSession
) -> None:
    info = recording / "info"
    info.write_text("<envoy_info><device><sn> envoyserial </sn></device></envoy_info>")
    with Simulator(replay=recording) as running:
        assert running.serial_number == "122300000042"
        _, text = await request(session, running, "/info")
    assert text == "<envoy_info><device><sn> 122300000042 </sn></device></envoy_info>"


async def test_missing_and_empty_recordings_answer_404(
    recording: Path, session: aiohttp.ClientSession
) -> None:
    with Simulator(replay=recording) as running:
        for path in ("/ivp/meters/readings", "/nothing", "/inventory.json", "/..%2Fsecret", "/..", "/"):
            assert (await request(session, running, path))[0] == 404


async def test_a_replayed_gateway_requires_a_token_for_its_serial_number(
    recording: Path, session: aiohttp.ClientSession
) -> None:
    with Simulator(replay=recording) as running:
        async with session.get(running.url + "/ivp/meters") as response:
            assert response.status == 401
        headers = {"Authorization": f"Bearer {running.token(serial_number='122300000078')}"}
        async with session.get(running.url + "/ivp/meters", headers=headers) as response:
            assert response.status == 401


def test_a_recording_has_no_true_values(recording: Path) -> None:
    with pytest.raises(LookupError, match="no house"):
        _ = Simulator(replay=recording).house


def test_the_error_names_a_folder_without_a_recording(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=tmp_path.name):
        Simulator(replay=tmp_path)
    (tmp_path / "info").write_text("<envoy_info/>")
    with pytest.raises(ValueError, match="serial number"):
        Simulator(replay=tmp_path)


@pytest.mark.parametrize("notes", ["", "[]", "{}", '{"outcomes": []}'])
def test_the_error_names_invalid_notes(recording: Path, notes: str) -> None:
    (recording / "_recording.json").write_text(notes)
    with pytest.raises(ValueError, match=r"_recording\.json: .*correct or remove it"):
        Simulator(replay=recording)


@needs_recordings
@pytest.mark.parametrize("folder", RECORDINGS, ids=lambda folder: folder.name)
async def test_another_client_reads_a_real_gateways_recording(folder: Path) -> None:
    with Simulator(replay=folder) as running:
        envoy = Envoy(running.url.removeprefix("https://"))
        try:
            await envoy.setup()
            await envoy.authenticate(token=running.token())
            data = await envoy.update()
        finally:
            await envoy.close()
    assert envoy.serial_number == running.serial_number
    inverters = folder / "api_v1_production_inverters"
    recorded = json.loads(inverters.read_text()) if inverters.exists() else []
    assert {serial: found.last_report_watts for serial, found in data.inverters.items()} == {
        entry["serialNumber"]: entry["lastReportWatts"] for entry in recorded
    }
    listed = json.loads((folder / "ivp_meters").read_text()) if (folder / "ivp_meters").exists() else []
    types = {meter["eid"]: meter["measurementType"] for meter in listed if meter["state"] == "enabled"}
    assert set(data.ctmeters) == set(types.values())
    if types:
        for reading in json.loads((folder / "ivp_meters_readings").read_text()):
            if reading["eid"] in types:
                meter = data.ctmeters[types[reading["eid"]]]
                assert meter is not None
                assert meter.active_power == round(reading["activePower"])
                assert meter.energy_delivered == round(reading["actEnergyDlvd"])
