"""The current weather from Open-Meteo, every 15 minutes; without it, the weather is not shown.

Open-Meteo needs no key, and non-commercial use is free. It gets the location only to a kilometre.
"""

from __future__ import annotations

import asyncio

import aiohttp

from enphase_api import EnphaseError, InvalidAnswerError
from enphase_api.http import new_session, parse_json, read_body, status_error, translate_errors
from enphase_api.json_values import integer, json_object, number

from ..config.settings import Settings
from ..runtime.errors import SettingsError, join_clauses
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.timing import Backoff
from .icons import Weather
from .state import DisplayState

_SERVER = "the weather service"
_PATH = "/v1/forecast"

#: Seconds between two requests, the service's own update interval.
_CACHED = 900

#: Seconds before the first retry after a failure, doubled up to the above.
_AGAIN = 60

#: Bytes; an answer has about five hundred.
_MAX_ANSWER = 64_000

_TIMEOUT = aiohttp.ClientTimeout(total=5)

#: Digits of the coordinates: a kilometre is precise enough for the weather.
_DIGITS = 2

#: m/s at 10 m, Beaufort 6: a strong breeze, umbrellas are hard to hold.
_STRONG = 10.8


class Forecast:
    """Keeps the weather of a state up to date."""

    def __init__(self, host: str, latitude: float, longitude: float) -> None:
        """`latitude`, `longitude`: degrees, north and east positive."""
        self._url = host + _PATH
        self._place = {"latitude": f"{latitude:.{_DIGITS}f}", "longitude": f"{longitude:.{_DIGITS}f}"}
        self._problem = RecurringWarning("The weather service answers again")

    @classmethod
    def from_settings(cls, settings: Settings) -> Forecast | None:
        """Return the forecast of the settings; None without a location.

        Raises SettingsError for half a location.
        """
        if settings.latitude is None or settings.longitude is None:
            missing = "longitude" if settings.longitude is None else "latitude"
            if settings.latitude != settings.longitude:
                raise SettingsError(
                    f"{settings.where(missing)}: is missing: the weather needs both latitude and longitude"
                )
            return None
        return cls(settings.weather_host, settings.latitude, settings.longitude)

    async def follow(self, state: DisplayState) -> None:
        """Update the state until cancelled; it has no weather while the service fails."""
        backoff = Backoff(_AGAIN, _CACHED)
        while True:
            try:
                state.weather = await self.now()
            except EnphaseError as error:
                state.weather = None
                self._problem.raise_(join_clauses(str(error), "weather is not shown"))
                await asyncio.sleep(backoff.next())
            else:
                self._problem.clear()
                backoff.reset()
                await asyncio.sleep(_CACHED)

    async def now(self) -> Weather:
        """Request the weather.

        Raises CommunicationError, ResponseError or InvalidAnswerError.
        """
        wanted = {
            **self._place,
            "current": "weather_code,wind_speed_10m,is_day",
            # Without this, it is km/h.
            "wind_speed_unit": "ms",
            "timeformat": "unixtime",
            "timezone": "GMT",
        }
        with translate_errors(_SERVER, _PATH):
            async with (
                new_session() as session,
                session.get(self._url, params=wanted, allow_redirects=False, timeout=_TIMEOUT) as response,
            ):
                if response.status != 200:
                    raise status_error(_SERVER, _PATH, response.status)
                answer = parse_json(await read_body(response, _PATH, _MAX_ANSWER), _PATH, _SERVER)
        return _read(answer)


def _read(answer: object) -> Weather:
    root = json_object(answer, _PATH)
    current = json_object(root.get("current"), _PATH)
    unit = json_object(root.get("current_units"), _PATH).get("wind_speed_10m")
    code, wind = integer(current, "weather_code", 0, 99), number(current, "wind_speed_10m", 0, 200)
    is_day = integer(current, "is_day", 0, 1)
    found = None if code is None or is_day is None else classify(code, wind or 0, is_day=bool(is_day))
    if found is None or unit != "m/s":
        raise InvalidAnswerError(f"{_SERVER} answered {_PATH} with invalid weather data", path=_PATH)
    return found


def classify(code: int, wind: float, *, is_day: bool) -> Weather | None:
    """Return the icon for a code of the WMO's table 4677, as Open-Meteo uses it, and wind in m/s.

    None for a code that it does not use.
    """
    if code <= 3 and wind >= _STRONG:
        return Weather.WIND
    if code == 0:
        return Weather.CLEAR_DAY if is_day else Weather.CLEAR_NIGHT
    if code in (1, 2):
        return Weather.PARTLY_CLOUDY_DAY if is_day else Weather.PARTLY_CLOUDY_NIGHT
    table = (
        (Weather.CLOUDY, range(3, 4)),
        (Weather.FOG, range(45, 49)),
        (Weather.RAIN, range(51, 68)),
        (Weather.SNOW, range(71, 78)),
        (Weather.RAIN, range(80, 83)),
        (Weather.SNOW, range(85, 87)),
        (Weather.THUNDER, range(95, 100)),
    )
    return next((weather for weather, codes in table if code in codes), None)
