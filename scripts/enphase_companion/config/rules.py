"""What the value of each setting may be, and what to do about one that is not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import voluptuous as vol
from yarl import URL

from enphase_api import InvalidHostError
from enphase_api.http import parse_host, read_host

from ..runtime.errors import CommandError, SettingsError
from .addresses import SPELLING, is_clear
from .settings import KEYS
from .time_zone import zone_of


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise vol.Invalid('must be a text, in "quotation marks" in the file')
    return value.strip()


def _secret(value: Any) -> str:
    # A password may begin or end with a space.
    if not isinstance(value, str):
        raise vol.Invalid('must be a text, in "quotation marks" in the file')
    return value


def _token(value: Any) -> str:
    # Pasted tokens come with line breaks in them.
    return re.sub(r"\s+", "", _text(value))


def _serial_number(value: Any) -> str:
    digits = str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)
    if not re.fullmatch(r"[0-9]{12}", digits):
        raise vol.Invalid("must be the 12 digits that are printed on the gateway")
    return digits


def _host(value: Any) -> str:
    try:
        return str(parse_host(_text(value), plain_on_loopback=True)).rstrip("/")
    except InvalidHostError as error:
        raise vol.Invalid(str(error)) from None


def _gateway_host(value: Any) -> str:
    try:
        return read_host(_text(value))
    except InvalidHostError as error:
        raise vol.Invalid(str(error)) from None


def _number(low: float, high: float, of_what: str) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not low <= number <= high:
            raise vol.Invalid(f"must be a number {of_what}from {low:.12g} to {high:.12g}")
        return number

    return check


def _degrees(limit: float) -> Callable[[Any], float]:
    return _number(-limit, limit, "of degrees ")


def _whole(low: int, high: int) -> Callable[[Any], int]:
    number = _number(low, high, "")

    def check(value: Any) -> int:
        found = number(value)
        if not found.is_integer():
            raise vol.Invalid(f"must be a whole number from {low} to {high}")
        return int(found)

    return check


def _rotation(value: Any) -> int:
    if str(value) not in ("0", "90", "180", "270"):
        raise vol.Invalid("must be 0, 90, 180 or 270")
    return int(value)


def _names(value: Any) -> tuple[str, ...]:
    names = value if isinstance(value, list) else _text(value).split(",")
    if names == ["none"]:
        return ()
    return tuple(_name(name) for name in names)


def _name(value: Any) -> str:
    name = _text(value)
    if len(name.encode()) > 200 or name.startswith("amq."):
        raise vol.Invalid('must be a name of at most 200 bytes that does not begin with "amq."')
    return name


def _broker(value: Any) -> str:
    address = _text(value)
    like = "must be an address such as amqps://broker.example:5671/, with user:password@ before the host"
    if not re.match(r"amqps?://", address):
        raise vol.Invalid(like)
    if not is_clear(address):
        raise vol.Invalid(
            f"{like}: {SPELLING}, or set amqp_host, amqp_username and amqp_password, which take them as "
            "they are"
        )
    try:
        url = URL(address)
    except ValueError:
        url = URL()
    if not url.host:
        raise vol.Invalid(like)
    return str(url)


def _zone(value: Any) -> str:
    try:
        return zone_of(_text(value)).key
    except CommandError:
        raise vol.Invalid("must be the name of a time zone, such as Europe/Vienna") from None


def _file(value: Any) -> Path:
    return Path(_text(value)).expanduser()


RULES: Mapping[str, Callable[[Any], Any]] = {
    "gateway_host": _gateway_host,
    "gateway_serial_number": _serial_number,
    "gateway_token": _token,
    "enphase_username": _text,
    "enphase_password": _secret,
    "entrez_host": _host,
    "latitude": _degrees(90),
    "longitude": _degrees(180),
    # A gateway is a weak computer, and says whole seconds.
    "interval": _number(0.5, 3_600, "of seconds "),
    "metrics_port": _whole(1, 65_535),
    "metrics_host": _text,
    "amqp_host": _text,
    "amqp_port": _whole(1, 65_535),
    "amqp_username": _text,
    "amqp_password": _secret,
    "amqp_virtual_host": _text,
    "amqp_url": _broker,
    "amqp_exchange": _name,
    "amqp_queue": _name,
    "amqp_queues": _names,
    "spool_file": _file,
    "spool_limit": _whole(1, 1_000_000),
    # storage.address judges it: what it can be depends on what is installed.
    "database_url": _secret,
    "database_host": _text,
    "database_username": _text,
    "database_password": _secret,
    "database_database": _text,
    "time_zone": _zone,
    "keep_readings": _whole(0, 100_000),
    "keep_minutes": _whole(0, 100_000),
    "keep_quarters": _whole(0, 100_000),
    "import_database_url": _secret,
    "batch_size": _whole(1, 10_000),
    # Some signs of life lie between two batches.
    "flush_interval": _number(0, 60, "of seconds "),
    "weather_host": _host,
    "brightness": _number(0, 1, ""),
    "rotation": _rotation,
    "scroll_delay": _number(0.01, 1, "of seconds "),
    "peak_power": _number(1, 10_000_000, "of watts "),
    "continuous_power": _number(1, 10_000_000, "of watts "),
}


def _own(name: str) -> Callable[[Any], Any]:
    """Refuse what only stands in an example."""

    def check(value: Any) -> Any:
        if value in KEYS[name].metadata["placeholders"]:
            raise vol.Invalid("still has the value of the example. Put in your own, or leave it out")
        return value

    return check


_SCHEMA = vol.Schema({vol.Optional(name): vol.All(rule, _own(name)) for name, rule in RULES.items()})


def checked(given: Mapping[str, Any], origins: Mapping[str, str]) -> dict[str, Any]:
    """Return the values in the form that the settings hold.

    Raises SettingsError for the first that cannot be right: where it is and what it must be, never its value.
    """
    try:
        result: dict[str, Any] = _SCHEMA(dict(given))
    except vol.MultipleInvalid as invalid:
        first = invalid.errors[0]
        reason = first.error_message.rstrip(".")
        raise SettingsError(f"{origins[str(first.path[0])]}: {reason[0].lower()}{reason[1:]}.") from None
    return result
