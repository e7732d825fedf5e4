"""The simulated weather service: Open-Meteo's forecast of the sky over the house."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from .faults import Faults
from .house import Clock, House
from .series import Noise
from .server import Request, note

PATH = "/v1/forecast"

#: Factors from m/s and the unit's name in the answer; km/h is the default.
_WIND_UNITS = {"kmh": (3.6, "km/h"), "ms": (1.0, "m/s"), "mph": (2.23694, "mp/h"), "kn": (1.94384, "kn")}

#: Seconds for which an answer holds.
_INTERVAL = 900

#: How much of the sky is covered, and the code of the WMO that begins there.
_CODES = ((0.0, 0), (0.1, 1), (0.3, 2), (0.6, 3), (0.9, 61))


class WeatherService:
    """A forecast for the house's place, whatever place a request names."""

    def __init__(self, house: House | None, clock: Clock, seed: int) -> None:
        """Without `house` (while a recording is replayed) the sky is clear, day and night."""
        self._house = house
        self._clock = clock
        self._wind = Noise(seed, "wind", 3 * 3600)
        self.faults = Faults()
        self.requests: list[Request] = []
        #: Values that replace the sky's: weather code, wind (m/s), day.
        self.code: int | None = None
        self.wind: float | None = None
        self.is_day: bool | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request for the forecast."""
        note(self.requests, request, time.time(), session_cookie="SESSION")
        fault = await self.faults.before(request)
        if fault is not None:
            return fault
        try:
            return web.json_response(self._forecast(dict(request.query)))
        except ValueError as error:
            return web.json_response({"error": True, "reason": str(error)}, status=400)

    def _forecast(self, query: dict[str, str]) -> dict[str, Any]:
        latitude = _degrees(query, "latitude", 90)
        longitude = _degrees(query, "longitude", 180)
        factor, unit = _one_of(query, "wind_speed_unit", "kmh", _WIND_UNITS)
        time_format = _one_of(query, "timeformat", "iso8601", {"iso8601": "iso8601", "unixtime": "unixtime"})
        at = int(self._clock.time()) // _INTERVAL * _INTERVAL
        values = {
            "weather_code": (self._code(at), "wmo code"),
            "wind_speed_10m": (round(self._wind_speed(at) * factor, 1), unit),
            "is_day": (int(self._is_day(at)), ""),
        }
        wanted = [name for name in query.get("current", "").split(",") if name]
        if unknown := [name for name in wanted if name not in values]:
            raise ValueError(f"Cannot initialize this variable from invalid String value {unknown[0]}.")
        stamp: Any = at
        if time_format != "unixtime":
            stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M")
        return {
            "latitude": round(latitude * 8) / 8,
            "longitude": round(longitude * 8) / 8,
            "generationtime_ms": 0.04,
            "utc_offset_seconds": 0,
            "timezone": "GMT",
            "timezone_abbreviation": "GMT",
            "elevation": 432.0,
            "current_units": {
                "time": time_format,
                "interval": "seconds",
                **{name: values[name][1] for name in wanted},
            },
            "current": {"time": stamp, "interval": _INTERVAL, **{name: values[name][0] for name in wanted}},
        }

    def _code(self, at: float) -> int:
        if self.code is not None:
            return self.code
        cover = 0.0 if self._house is None else self._house.cloud_cover(at)
        return max(code for least, code in _CODES if cover >= least)

    def _wind_speed(self, at: float) -> float:
        return self._wind(at) * 9 if self.wind is None else self.wind

    def _is_day(self, at: float) -> bool:
        if self.is_day is not None:
            return self.is_day
        return self._house is None or self._house.sunshine(at) > 0


def _degrees(query: dict[str, str], name: str, limit: float) -> float:
    if name not in query:
        raise ValueError(f"Value of type 'String' required for key '{name}'.")
    try:
        value = float(query[name])
    except ValueError:
        raise ValueError(f"Value of type 'String' required for key '{name}'.") from None
    if not -limit <= value <= limit:
        raise ValueError(f"{name.capitalize()} must be in range of {-limit:g} to {limit:g}°. Given: {value}.")
    return value


def _one_of(query: dict[str, str], name: str, default: str, values: dict[str, Any]) -> Any:
    given = query.get(name, default)
    if given not in values:
        raise ValueError(f"Cannot initialize {name} from invalid String value {given}.")
    return values[given]
