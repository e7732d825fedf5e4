"""The file tariff.json: prices in the form of the gateway's tariff document, by hand or saved from it.

`configuration/tariff.json.example` is one. A period may begin at "15:00" instead of 900 minutes.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import voluptuous as vol

from enphase_api.models.tariff import HIGHEST_RATE, WEEKDAYS, Tariff

from ..runtime.errors import SettingsError
from .loader import read_object

#: The tariff of the charts, in the folder of the credentials files.
TARIFF_FILE = "tariff.json"

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_START = re.compile(r"\d{1,2}/\d{1,2}")


def read_tariff(file: Path) -> Tariff:
    """Return the prices of a file. Raises SettingsError, which names the key and what to write there."""
    if not file.exists():
        raise SettingsError(
            f"{file}: no such file: copy configuration/{TARIFF_FILE}.example there, and write your prices"
        )
    try:
        document = _DOCUMENT(read_object(file))
    except vol.MultipleInvalid as error:
        first = error.errors[0]
        raise SettingsError(f"{file}: {_name(first.path)}: {_explain(first)}") from None
    tariff = Tariff.from_json(document)
    if tariff is None:
        raise SettingsError(
            f"{file}: tariff.single_rate: no price is set: set rate (import) and sell (export), or seasons"
        )
    return tariff


def _name(path: list[Any]) -> str:
    """Return a key's place, such as tariff.seasons[0].start."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _explain(error: vol.Invalid) -> str:
    return "must be a list, [...]" if isinstance(error, vol.SequenceTypeInvalid) else error.error_message


def _price(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not -HIGHEST_RATE <= value <= HIGHEST_RATE:
        raise vol.Invalid("must be a price per kWh as a number, such as 0.25, without quotation marks")
    return float(value)


def _minute(value: Any) -> int:
    if isinstance(value, str) and (found := _TIME.fullmatch(value)):
        return int(found[1]) * 60 + int(found[2])
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return value
    raise vol.Invalid('must be a local time such as "15:00", or minutes after midnight, 0 to 1439')


def _day_of_year(value: Any) -> str:
    try:
        month, day = map(int, value.split("/")) if _START.fullmatch(value) else (0, 0)
        # A season may start on February 29.
        date(2000, month, day)
    except (TypeError, ValueError):
        raise vol.Invalid('must be month and day on which the season starts, such as "10/1"') from None
    return str(value)


def _weekdays(value: Any) -> str:
    names = value.replace(" ", "").split(",") if isinstance(value, str) else []
    if not names or not set(names) <= set(WEEKDAYS):
        raise vol.Invalid(f'must be some of "{",".join(WEEKDAYS)}", separated by commas')
    return ",".join(names)


def _currency(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z]{3}", value):
        raise vol.Invalid('must be the three letters of a currency, such as "EUR"')
    return value


def _every_weekday_once(days: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    counted = Counter(name for each in days for name in each["days"].split(","))
    missing = [name for name in WEEKDAYS if days and name not in counted]
    twice = [name for name, count in counted.items() if count > 1]
    if missing or twice:
        wrong = f"{', '.join(missing)} without prices" if missing else f"{', '.join(twice)} more than once"
        raise vol.Invalid(f"has {wrong}: name each of the seven weekdays once")
    return days


def _start_once(things: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    twice = [start for start, count in Counter(each["start"] for each in things).items() if count > 1]
    if twice:
        raise vol.Invalid("two have the same start: remove one, or correct it")
    return things


def _with_days_or_without(seasons: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if len({bool(season.get("days")) for season in seasons}) > 1:
        raise vol.Invalid("some have days with prices and others have none: write days into each season")
    return seasons


def _object(required: Mapping[str, Any], optional: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Return the rule for an object with these keys; others, which a gateway writes, are not looked at."""
    known = {**required, **optional}
    schema: dict[Any, Any] = {vol.Optional(key): rule for key, rule in optional.items()}
    for key, rule in required.items():
        schema[vol.Required(key, msg=f"is missing: configuration/{TARIFF_FILE}.example shows it")] = rule
    validate = vol.Schema(schema, extra=vol.ALLOW_EXTRA)

    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise vol.Invalid("must be an object, {...}")
        for key in value:
            # Without this, a price under a misspelt key would silently not count.
            if key not in known and (meant := difflib.get_close_matches(key, known, n=1, cutoff=0.8)):
                raise vol.Invalid(f"is not known: write {meant[0]}", path=[key])
        return validate(value)

    return check


_PERIOD = _object({"start": _minute, "rate": _price}, {})
_DAY = _object(
    {
        "days": _weekdays,
        "periods": vol.All([_PERIOD], vol.Length(min=1, msg="must hold at least one period"), _start_once),
    },
    {},
)
_SEASON = _object({"start": _day_of_year}, {"days": vol.All([_DAY], _every_weekday_once), "tiers": list})
_SEASONS = vol.All([_SEASON], _start_once, _with_days_or_without)
_DOCUMENT = vol.Schema(
    _object(
        {
            "tariff": _object(
                {"currency": _object({"code": _currency}, {})},
                {
                    "single_rate": _object({}, {"rate": _price, "sell": _price}),
                    "seasons": _SEASONS,
                    "seasons_sell": _SEASONS,
                },
            )
        },
        {},
    )
)
