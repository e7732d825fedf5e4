"""What the value of each setting may be, and what to do about one that is not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import voluptuous as vol

from enphase_api import InvalidHostError
from enphase_api.http import parse_host

from .errors import SettingsError
from .settings import KEYS


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


def _host(plain_on_loopback: bool) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        try:
            return str(parse_host(_text(value), plain_on_loopback=plain_on_loopback)).rstrip("/")
        except InvalidHostError as error:
            raise vol.Invalid(str(error)) from None

    return check


def _degrees(limit: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        try:
            degrees = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            degrees = math.nan
        if not -limit <= degrees <= limit:
            raise vol.Invalid(f"must be a number of degrees from -{limit:g} to {limit:g}, such as 51.46")
        return degrees

    return check


RULES: Mapping[str, Callable[[Any], Any]] = {
    "gateway_host": _host(plain_on_loopback=False),
    "gateway_serial_number": _serial_number,
    "gateway_token": _token,
    "enphase_username": _text,
    "enphase_password": _secret,
    "entrez_host": _host(plain_on_loopback=True),
    "latitude": _degrees(90),
    "longitude": _degrees(180),
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
    """Give the values in the form that the settings hold.

    Raises SettingsError for the first that cannot be right: where it is and what it must be, never its value.
    """
    try:
        result: dict[str, Any] = _SCHEMA(dict(given))
    except vol.MultipleInvalid as invalid:
        first = invalid.errors[0]
        reason = first.error_message.rstrip(".")
        raise SettingsError(f"{origins[str(first.path[0])]}: {reason[0].lower()}{reason[1:]}.") from None
    return result
