"""The weather forecast: its request, the conversion of its answers, and its failures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest

from enphase_api import CommunicationError, EnphaseError, InvalidAnswerError, ResponseError
from enphase_companion.displays import forecast as module
from enphase_companion.displays.forecast import Forecast, classify
from enphase_companion.displays.icons import Weather
from enphase_companion.displays.state import DisplayState
from enphase_companion.simulator import Simulator
from tests.houses import JUNE

from ..amqp_helpers import wait_until


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(hour_of_day=12, day=JUNE) as running:
        yield running


@pytest.fixture
def forecast(simulator: Simulator) -> Forecast:
    return Forecast(simulator.weather_url, 47.123456, -8.987654)


async def test_the_request_has_units_and_a_location_rounded_to_a_kilometre(
    forecast: Forecast, simulator: Simulator
) -> None:
    await forecast.now()
    (request,) = simulator.weather.requests
    assert request.path == (
        "/v1/forecast?latitude=47.12&longitude=-8.99&current=weather_code,wind_speed_10m,is_day"
        "&wind_speed_unit=ms&timeformat=unixtime&timezone=GMT"
    )
    assert not request.has_authorization
    assert not request.has_session


async def test_the_weather_of_the_house_is_returned(forecast: Forecast, simulator: Simulator) -> None:
    assert await forecast.now() in Weather
    simulator.weather.wind = 0
    simulator.weather.code, simulator.weather.is_day = 2, False
    assert await forecast.now() == Weather.PARTLY_CLOUDY_NIGHT


@pytest.mark.parametrize(("wind", "weather"), [(10.7, Weather.CLEAR_DAY), (10.9, Weather.WIND)])
async def test_wind_is_in_metres_per_second(
    forecast: Forecast, simulator: Simulator, wind: float, weather: Weather
) -> None:
    simulator.weather.code, simulator.weather.is_day, simulator.weather.wind = 0, True, wind
    assert await forecast.now() == weather


@pytest.mark.parametrize(
    ("codes", "day", "night"),
    [
        ([0], Weather.CLEAR_DAY, Weather.CLEAR_NIGHT),
        ([1, 2], Weather.PARTLY_CLOUDY_DAY, Weather.PARTLY_CLOUDY_NIGHT),
        ([3], Weather.CLOUDY, Weather.CLOUDY),
        ([45, 48], Weather.FOG, Weather.FOG),
        ([51, 53, 55, 56, 57, 61, 63, 65, 66, 67, 80, 81, 82], Weather.RAIN, Weather.RAIN),
        ([71, 73, 75, 77, 85, 86], Weather.SNOW, Weather.SNOW),
        ([95, 96, 99], Weather.THUNDER, Weather.THUNDER),
        ([4, 44, 50, 70, 90], None, None),
    ],
)
def test_every_weather_code_has_an_icon(codes: list[int], day: Weather | None, night: Weather | None) -> None:
    for code in codes:
        assert classify(code, 1, is_day=True) == day
        assert classify(code, 1, is_day=False) == night


def test_rain_takes_precedence_over_wind() -> None:
    assert classify(63, 25, is_day=True) == Weather.RAIN
    assert classify(3, 25, is_day=False) == Weather.WIND


@pytest.mark.parametrize(
    ("fault", "options", "error"),
    [
        ("status", {"status": 503}, ResponseError),
        ("status", {"status": 302}, ResponseError),
        ("html", {}, InvalidAnswerError),
        ("reset", {}, CommunicationError),
        ("silent", {}, CommunicationError),
    ],
)
async def test_the_error_of_an_invalid_answer_hides_the_location(
    forecast: Forecast,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    options: dict[str, Any],
    error: type[EnphaseError],
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT", aiohttp.ClientTimeout(total=0.5))
    simulator.weather.faults.set(fault, **options)
    with pytest.raises(error) as caught:
        await forecast.now()
    assert "47.1" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"current": [], "current_units": {}},
        {"current": {"weather_code": 0, "wind_speed_10m": 1, "is_day": 1}, "current_units": {}},
        {
            "current": {"weather_code": 0, "wind_speed_10m": 1, "is_day": 1},
            "current_units": {"wind_speed_10m": "km/h"},
        },
        {
            "current": {"weather_code": "sunny", "wind_speed_10m": 1, "is_day": 1},
            "current_units": {"wind_speed_10m": "m/s"},
        },
        {"current": {"weather_code": 42, "is_day": 1}, "current_units": {"wind_speed_10m": "m/s"}},
    ],
)
def test_an_unknown_answer_is_no_weather(answer: object) -> None:
    with pytest.raises(InvalidAnswerError):
        module._read(answer)


async def test_the_forecast_is_requested_rarely_and_returns_after_a_failure(
    forecast: Forecast,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert (module._CACHED, module._AGAIN) == (900, 60)
    state = DisplayState(lambda: None)
    monkeypatch.setattr(module, "_CACHED", 0.3)
    monkeypatch.setattr(module, "_AGAIN", 0.2)
    following = asyncio.ensure_future(forecast.follow(state))
    await wait_until(lambda: state.weather is not None)
    assert len(simulator.weather.requests) == 1
    simulator.weather.faults.set("status")
    await wait_until(lambda: state.weather is None)
    assert "the weather service answered /v1/forecast with status 503; weather is not shown" in caplog.text
    simulator.weather.faults.clear()
    await wait_until(lambda: state.weather is not None)
    assert "The weather service answers again" in caplog.text
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
