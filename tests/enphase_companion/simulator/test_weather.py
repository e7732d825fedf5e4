"""The simulated weather service: answers like Open-Meteo's, with the weather of the house."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from enphase_companion.simulator import Simulator
from tests.houses import JUNE

WANTED = {"latitude": "47.1", "longitude": "8.2", "current": "weather_code,wind_speed_10m,is_day"}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(hour_of_day=12, day=JUNE) as running:
        yield running


async def request(simulator: Simulator, **query: str) -> tuple[int, dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{simulator.weather_url}/v1/forecast", params=query) as response,
    ):
        return response.status, await response.json()


async def test_wind_is_in_km_h_unless_the_request_sets_m_s(
    simulator: Simulator,
) -> None:
    simulator.weather.wind = 10
    for query, speed, unit in (({}, 36, "km/h"), ({"wind_speed_unit": "ms"}, 10, "m/s")):
        status, content = await request(simulator, **WANTED, **query)
        assert status == 200
        assert content["current"]["wind_speed_10m"] == speed
        assert content["current_units"]["wind_speed_10m"] == unit


async def test_time_is_text_unless_the_request_sets_epoch_seconds(simulator: Simulator) -> None:
    _, content = await request(simulator, **WANTED)
    assert isinstance(content["current"]["time"], str)
    _, content = await request(simulator, **WANTED, timeformat="unixtime")
    assert content["current"]["time"] % 900 == 0


@pytest.mark.parametrize(
    "change",
    [
        {"latitude": "91"},
        {"longitude": "east"},
        {"wind_speed_unit": "furlongs"},
        {"current": "moon"},
    ],
)
async def test_unknown_parameters_are_rejected_with_a_reason(
    simulator: Simulator, change: dict[str, str]
) -> None:
    status, content = await request(simulator, **{**WANTED, **change})
    assert status == 400
    assert content["error"] is True
    assert content["reason"]


async def test_a_request_requires_coordinates(simulator: Simulator) -> None:
    status, _ = await request(simulator, current="weather_code")
    assert status == 400


async def test_the_answer_holds_requested_values_only(simulator: Simulator) -> None:
    _, content = await request(simulator, **{**WANTED, "current": "is_day"})
    assert content["current"].keys() == {"time", "interval", "is_day"}


@pytest.mark.parametrize(("hour", "is_day"), [(12, 1), (0, 0)])
async def test_is_day_is_true_while_the_sun_is_up(hour: float, is_day: int) -> None:
    with Simulator(hour_of_day=hour, day=JUNE) as simulator:
        _, content = await request(simulator, **WANTED)
    assert content["current"]["is_day"] == is_day


async def test_more_cloud_cover_means_a_higher_weather_code(simulator: Simulator) -> None:
    covers_and_codes = []
    for _ in range(60):
        at = simulator.clock.time() // 900 * 900
        _, content = await request(simulator, **WANTED)
        covers_and_codes.append((simulator.house.cloud_cover(at), content["current"]["weather_code"]))
        simulator.clock.advance(5 * 3600)
    covers_and_codes.sort()
    codes = [code for _, code in covers_and_codes]
    assert codes == sorted(codes)
    assert len(set(codes)) >= 4


async def test_weather_requests_do_not_count_as_requests_to_entrez(simulator: Simulator) -> None:
    await request(simulator, **WANTED)
    assert [each.path.partition("?")[0] for each in simulator.weather.requests] == ["/v1/forecast"]
    assert simulator.entrez_requests == []
