"""Each quirk changes only the values that it is named after."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from enphase_companion.simulator import (
    Simulator,
    battery_answers,
    inverter_answers,
    meter_answers,
    production_answers,
)
from enphase_companion.simulator.house import House
from enphase_companion.simulator.profiles import NET, PRODUCTION, STORAGE, TOTAL, find
from tests.houses import JUNE

#: Noon at the house in autumn.
START = 1_764_000_123
LONGITUDE = 180 - (START % 86400) / 240


def build_house(profile: str) -> House:
    return House(find(profile), 1, START, LONGITUDE)


def get_readings_by_type(built: House, at: int) -> dict[str, dict[str, Any]]:
    """Return the readings of the listed meters by measurement type."""
    types = {meter["eid"]: meter["measurementType"] for meter in meter_answers.meters(built)}
    return {
        types[reading["eid"]]: reading
        for reading in meter_answers.readings(built, at)
        if reading["eid"] in types
    }


async def request(session: aiohttp.ClientSession, simulator: Simulator, path: str) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {simulator.token()}"}
    async with session.get(simulator.url + path, headers=headers) as response:
        return response.status, await response.json() if response.status == 200 else None


async def test_endpoints_can_be_missing_or_reject_every_token(session: aiohttp.ClientSession) -> None:
    for quirk, refused, open_to_owners in (
        ("meters-404", ("/ivp/meters", "/ivp/meters/readings"), "/ivp/ensemble/inventory"),
        ("meters-401", ("/ivp/meters", "/ivp/meters/readings"), "/ivp/ensemble/inventory"),
        ("no-device-data", ("/ivp/pdm/device_data",), "/ivp/meters"),
        ("ensemble-401", ("/ivp/ensemble/inventory", "/ivp/ensemble/power"), "/ivp/meters"),
    ):
        with Simulator(f"battery+{quirk}", hour_of_day=12, day=JUNE) as simulator:
            for path in refused:
                expected = 401 if quirk.endswith("401") else 404
                assert (await request(session, simulator, path))[0] == expected
            assert (await request(session, simulator, open_to_owners))[0] == 200


def test_the_readings_can_hold_an_unlisted_meter() -> None:
    built = build_house("battery+unlisted-meter")
    listed = {meter["eid"] for meter in meter_answers.meters(built)}
    assert {reading["eid"] for reading in meter_answers.readings(built, START)} - listed == {1023410688}


def test_a_meter_of_unknown_type_measures_the_consumption_of_the_home() -> None:
    built = build_house("three-phase+unknown-meter")
    reading = get_readings_by_type(built, START)["heat-pump"]
    home = built.truth(START).total_consumption
    assert reading["activePower"] == pytest.approx(home.total.active_power, abs=0.001)
    assert reading["channels"][2]["actEnergyDlvd"] == pytest.approx(
        home.phases[2].energy_delivered, abs=0.001
    )


def test_a_disabled_meter_reports_noise() -> None:
    built = build_house("three-phase+disabled-meter")
    assert [meter["state"] for meter in meter_answers.meters(built)] == ["enabled", "enabled", "disabled"]
    assert 0 < abs(get_readings_by_type(built, START)["backfeed"]["activePower"]) < 10


def test_the_meter_list_can_count_more_phases_than_are_wired() -> None:
    built = build_house("split-phase+unwired-phases")
    [meter, *_] = meter_answers.meters(built)
    assert (meter["phaseMode"], meter["phaseCount"]) == ("three", 3)
    assert 0 < get_readings_by_type(built, START)[PRODUCTION]["channels"][2]["voltage"] < 15


def test_the_third_channel_repeats_the_storage_meters_second() -> None:
    read = get_readings_by_type(build_house("battery+third-channel-mirrors"), START)
    values = {name: value for name, value in read[NET]["channels"][2].items() if name != "eid"}
    assert values == {name: value for name, value in read[STORAGE]["channels"][1].items() if name != "eid"}
    assert values["voltage"] > 100


def test_production_json_can_report_net_as_total_and_lifetime_as_today() -> None:
    found = production_answers.production(build_house("three-phase+total-is-net"), START, details=False)
    total, net = found["consumption"]
    assert (total["measurementType"], total["wNow"], total["whLifetime"]) == (
        TOTAL,
        net["wNow"],
        net["whLifetime"],
    )
    built = build_house("three-phase+today-is-lifetime")
    produced = production_answers.production(built, START, details=False)["production"][1]
    assert produced["whToday"] == produced["whLastSevenDays"] == produced["whLifetime"] > 1e6
    assert production_answers.summary(built, START)["wattHoursToday"] == round(produced["whLifetime"])


def test_power_factors_can_be_summed_and_apparent_energy_missing() -> None:
    read = get_readings_by_type(build_house("three-phase+power-factors-added+no-apparent-energy"), START)[
        PRODUCTION
    ]
    assert read["pwrFactor"] == pytest.approx(sum(channel["pwrFactor"] for channel in read["channels"]))
    assert read["pwrFactor"] > 1
    assert read["apparentEnergy"] < 1


def test_reports_can_subtract_exports_from_imports() -> None:
    built = build_house("three-phase+reports-netted")
    grid = built.truth(START).net_consumption
    [report] = [each for each in meter_answers.reports(built, START) if each["reportType"] == NET]
    for reported, true in ((report["cumulative"], grid.total), (report["lines"][1], grid.phases[1])):
        assert reported["whRcvdCum"] == 0
        assert reported["whDlvdCum"] == pytest.approx(true.energy_delivered - true.energy_received, abs=0.001)
    reading = get_readings_by_type(built, START)[NET]
    assert reading["actEnergyRcvd"] == pytest.approx(grid.total.energy_received, abs=0.001)


def test_the_sums_without_a_production_meter_do_not_change() -> None:
    built = build_house("no-meters+no-production-data")
    assert production_answers.summary(built, START) == production_answers.summary(built, START + 7200)


def test_the_storage_meter_loses_a_phase_every_fifth_minute() -> None:
    built = build_house("battery+storage-loses-phase")
    minute = START // 300 * 300
    lost = [
        get_readings_by_type(built, minute + 60 * number)[STORAGE]["channels"][0]["voltage"] == 0
        for number in range(5)
    ]
    assert lost == [True, False, False, False, False]


def test_the_counters_of_the_meters_wrap_at_two_to_the_thirty_two() -> None:
    built, plain = build_house("three-phase+meters-wrap"), build_house("three-phase")
    before, after, later = (get_readings_by_type(built, START + seconds) for seconds in (599, 601, 4201))
    for kind, energy in ((PRODUCTION, "actEnergyDlvd"), (NET, "actEnergyRcvd")):
        assert 2**32 - 10 < before[kind][energy] < 2**32
        assert 0 <= after[kind][energy] < 10
        assert 2**32 - 10 < before[kind]["channels"][0][energy] < 2**32
    grown = later[PRODUCTION]["actEnergyDlvd"] - after[PRODUCTION]["actEnergyDlvd"]
    truths = [plain.truth(START + seconds).production.total.energy_delivered for seconds in (601, 4201)]
    assert grown == pytest.approx(truths[1] - truths[0], abs=0.01)
    assert (
        before[PRODUCTION]["activePower"]
        == get_readings_by_type(plain, START + 599)[PRODUCTION]["activePower"]
    )
    summed = production_answers.production(built, START + 601, details=False)["production"][1]
    assert summed["whLifetime"] == after[PRODUCTION]["actEnergyDlvd"]
    assert 0 < summed["whToday"] < 1e6


def test_the_lifetime_total_drops_when_the_counter_of_one_microinverter_wraps() -> None:
    # The sum of this firmware has no modulo of 2^32 J.
    built, plain = build_house("no-meters-8.3+inverter-wraps"), build_house("no-meters-8.3")
    times = (START, START + 1200)
    sums = [production_answers.production(built, at, details=False)["production"][0] for at in times]
    produced = [plain.truth(entry["readingTime"]).production.total.energy_delivered for entry in sums]
    lost = sums[0]["whLifetime"] + (produced[1] - produced[0]) - sums[1]["whLifetime"]
    assert lost == pytest.approx(2**32 / 3600, abs=2)
    counters = [get_lifetimes(built, at) for at in times]
    assert counters[0][0] > 2**32 - 1e6 > 1e6 > counters[1][0]
    assert all(after >= before for before, after in zip(counters[0][1:], counters[1][1:], strict=True))


def test_the_v1_totals_drop_when_the_counter_of_one_microinverter_wraps() -> None:
    built = build_house("no-meters+inverter-wraps")
    before, after = (
        production_answers.summary(built, at)["wattHoursLifetime"] for at in (START, START + 1200)
    )
    assert 0 < before - after < 2**32 / 3600


def test_only_the_grid_meter_measures_a_second_inverter() -> None:
    built, plain = (
        build_house("three-phase+second-inverter").truth(START),
        build_house("three-phase").truth(START),
    )
    assert built.production == plain.production
    assert built.total_consumption == plain.total_consumption
    assert built.net_consumption.total.active_power < plain.net_consumption.total.active_power - 100


def get_lifetimes(built: House, at: int) -> list[int]:
    """Return the joules of each microinverter."""
    devices = [each for each in inverter_answers.device_data(built, at).values() if isinstance(each, dict)]
    return [device["channels"][0]["lifetime"]["joulesProduced"] for device in devices]


async def test_all_values_are_zero_for_two_minutes_after_a_power_cut(session: aiohttp.ClientSession) -> None:
    with Simulator(
        "three-phase+zeros-after-power-cut", start=START, longitude=LONGITUDE, speed=0
    ) as simulator:
        _, before = await request(session, simulator, "/ivp/meters/readings")
        await asyncio.to_thread(simulator.restart)
        status, cut = await request(session, simulator, "/ivp/meters/readings")
        assert status == 200
        assert [reading["eid"] for reading in cut] == [reading["eid"] for reading in before]
        assert {reading["activePower"] for reading in cut} == {0}
        assert {reading["actEnergyDlvd"] for reading in cut} == {0}
        simulator.clock.advance(121)
        _, after = await request(session, simulator, "/ivp/meters/readings")
    assert after[0]["actEnergyDlvd"] >= before[0]["actEnergyDlvd"] > 0


async def test_the_gateway_is_silent_for_five_minutes_from_eleven_in_the_evening(
    session: aiohttp.ClientSession,
) -> None:
    with Simulator("three-phase+nightly-silence", start=START, longitude=LONGITUDE, speed=0) as simulator:
        built, clock = simulator.house, simulator.clock
        eleven = built.midnight(START) + 23 * 3600
        clock.advance(eleven - 1 - clock.time())
        assert (await request(session, simulator, "/ivp/meters"))[0] == 200
        clock.advance(2)
        with pytest.raises(TimeoutError):
            await session.get(simulator.url + "/info", timeout=aiohttp.ClientTimeout(total=0.3))
        hanging = asyncio.create_task(request(session, simulator, "/ivp/meters"))
        while len(simulator.requests) < 3:
            await asyncio.sleep(0.01)
        assert not hanging.done()
        clock.advance(300)
        assert (await hanging)[0] == 200


@pytest.mark.slow
def test_bugs_of_every_gateway_are_always_present() -> None:
    built = build_house("three-phase")
    assert get_readings_by_type(built, START)[NET]["voltage"] > 600
    assert inverter_answers.device_data(build_house("sixty-inverters"), START)["deviceCount"] == 50
    assert "devices:" in battery_answers.power(build_house("battery"), START)


def test_device_data_keeps_removed_microinverters_or_lists_none() -> None:
    kept = inverter_answers.device_data(build_house("three-phase+removed-inverters"), START)
    devices = [device for device in kept.values() if isinstance(device, dict)]
    assert [device["modGone"] for device in devices] == [True] * 2 + [False] * 12
    assert kept["deviceCount"] == 14
    assert devices[-1]["active"]
    assert devices[-1]["channels"][0]["lastReading"] == {}
    many = inverter_answers.device_data(build_house("sixty-inverters+removed-inverters"), START)
    assert many["deviceCount"] == 50
    assert inverter_answers.device_data(build_house("three-phase+empty-device-data"), START) == {
        "deviceCount": 0,
        "deviceDataLimit": 50,
    }


def test_the_counter_of_every_microinverter_is_modulo_its_limit() -> None:
    later = START + 200 * 86400
    counters = []
    for profile in ("no-meters", "no-meters+inverters-wrap"):
        answer = inverter_answers.device_data(House(find(profile), 1, later, LONGITUDE), later)
        devices = list(answer.values())[:12]
        counters.append([device["channels"][0]["lifetime"]["joulesProduced"] for device in devices])
    assert min(counters[0]) > 2**32
    assert counters[1] == [joules % 2**32 for joules in counters[0]]


async def test_after_a_restart_temperatures_of_batteries_are_unknown(session: aiohttp.ClientSession) -> None:
    with Simulator("battery+unknown-after-restart", hour_of_day=12, day=JUNE) as simulator:
        simulator.restart()
        groups = (await request(session, simulator, "/ivp/ensemble/inventory"))[1]
        assert groups[0]["devices"][0]["temperature"] == "unknown"
        assert groups[1]["devices"][0]["temperature"] == 72
        simulator.clock.advance(121)
        groups = (await request(session, simulator, "/ivp/ensemble/inventory"))[1]
        assert groups[0]["devices"][0]["maxCellTemp"] == 23
