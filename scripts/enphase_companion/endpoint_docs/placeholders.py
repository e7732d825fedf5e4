"""Placeholders for identifiers that are found by their form, such as serial numbers; fixed times."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

#: The newest timestamp of every example, in seconds since 1970: 2026-01-15 12:00:00 UTC.
REFERENCE = 1768478400
NOON = "12:00"
DAY = "01/15/2026"

#: From 2001 to 2038, in seconds. Timestamps in milliseconds are recognised in the same range.
_EARLIEST, _LATEST = 10**9, 2**31

_DATE_AND_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:([T ])(\d\d:\d\d:\d\d))?")
_REFERENCE_DAY = datetime.fromtimestamp(REFERENCE, UTC).date().isoformat()


def parse_timestamp(value: Any) -> int | None:
    """Return a number, or a text of digits, as seconds since 1970; None if it cannot be a timestamp."""
    if isinstance(value, str):
        value = int(value) if re.fullmatch(r"\d{10}|\d{13}", value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if _EARLIEST <= value / 1000 < _LATEST:
        return int(value / 1000)
    return int(value) if _EARLIEST <= value < _LATEST else None


def shift(value: Any, seconds: int) -> Any:
    """Return a later timestamp in the same form: seconds or milliseconds, number or text."""
    if isinstance(value, str):
        return str(shift(int(value), seconds))
    return value + (seconds if value < _LATEST else seconds * 1000)


def shift_text(text: str, seconds: int) -> str:
    """Return a text with each date and time in it, such as "2026-07-29 13:47:37 UTC", shifted."""

    def replace(match: re.Match[str]) -> str:
        day, separator, time = match.groups()
        try:
            before = datetime.fromisoformat(f"{day} {time or '00:00:00'}").replace(tzinfo=UTC)
            after = before + timedelta(seconds=seconds)
        except (ValueError, OverflowError):
            return _REFERENCE_DAY
        return f"{after:%Y-%m-%d}" if time is None else f"{after:%Y-%m-%d}{separator}{after:%H:%M:%S}"

    return _DATE_AND_TIME.sub(replace, text)


class Placeholder(str):
    """A string that replaces another one, so it is not one of the values of its field."""

    __slots__ = ()


#: Replaces free text.
TEXT = Placeholder("text")

#: Maximum length of strings that are examined; identifiers, addresses and versions are shorter.
MAX_LENGTH = 128

#: Those with a number, as a recording has them that was anonymized before.
_NUMBERED = re.compile(r"(?:name|serial)-\d+|owner\d+@example\.com|host\d+\.example|120{5,}\d{1,5}")
_WORDS = ("example", "hidden", TEXT)


#: All placeholders that can be a part of a text.
_ANY = re.compile(
    r"00:00:5E:00:53:[0-9A-F]{2}|0{8}-0{4}-0{4}-0{4}-0{12}|2001:db8::[0-9a-f]+|192\.0\.2\.\d+|hidden|"
    + _NUMBERED.pattern
)


def remove_placeholders(text: str) -> str:
    """Return the rest of a text in which identifying parts were replaced."""
    return _ANY.sub("", text)


def is_numbered_placeholder(text: str) -> bool:
    """Whether this is the placeholder of one of several things, from this run or an earlier one."""
    return _NUMBERED.fullmatch(text) is not None


def is_placeholder(text: str) -> bool:
    """Whether this is a placeholder, from this run or an earlier one."""
    return text in _WORDS or is_numbered_placeholder(text)


# Each starts at a boundary and does not backtrack, so that the time is linear in the length of the text.
_TOKEN = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*){0,2}")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
#: Random letters and digits.
_OPAQUE = re.compile(
    r"(?<![\w+/=-])(?=[\w+/-]*\d)(?=[\w+/-]*[A-Za-z])(?:[A-Za-z0-9+/]{20,}+|[\w-]{32,}+)={0,2}+(?![\w+/=-])"
)
_E_MAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]++(?:\.[\w-]++)++")
_MAC = re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:])")
_BARE_MAC = re.compile(
    r"(?<![0-9A-Za-z])(?=[0-9a-fA-F]*[a-fA-F])(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{12}(?![0-9A-Za-z])"
    r"|(?<![0-9A-Za-z.])(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}(?![0-9A-Za-z.])"
)
_IP_4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_IP_6 = re.compile(r"(?<![A-Za-z0-9:])(?=[0-9A-Fa-f]*+:[0-9A-Fa-f]*+:)[0-9A-Fa-f:]++(?![\w:])")
#: Only local and the most common top-level domains, as a gateway's identifiers contain dots too.
_HOST = re.compile(
    r"(?<![\w.-])[\w-]++(?:\.[\w-]++)*?\.(?:local|localdomain|lan|home|internal|box|example|com|net|org)(?![\w-])",
    re.IGNORECASE,
)
_SERIAL = re.compile(r"(?<![0-9A-Za-z.])\d{11,16}(?![\d.])")
_DIGITS = re.compile(r"\d{11,16}")
#: Where a known serial number can occur in a string: a word, or the digits or letters of one.
_WORD = re.compile(r"[0-9A-Za-z]+")
_RUN = re.compile(r"[0-9]+|[A-Za-z]+")
#: Shorter serial numbers would match inside words.
_MIN_SERIAL_LENGTH = 6
#: Maximum length of a serial number's placeholder.
_MAX_SERIAL_LENGTH = 32
#: Names of people, houses and devices are rarely shorter; identifiers in programs often are.
_MIN_NAME_LENGTH = 4
#: With more, texts are not searched for them: a site has some names, not hundreds.
_MAX_NAMES = 200
#: Texts whose replacement is remembered: names of fields and states are repeated, others are not.
_MAX_REPLACED = 10_000


class Placeholders:
    """Maps each identifying string to a stable placeholder."""

    def __init__(self) -> None:
        self._placeholders: dict[tuple[str, str], Placeholder] = {}
        self._counts: Counter[str] = Counter()
        self._used: set[str] = set()
        self._serials: set[str] = set()
        self._names: set[str] = set()
        self._coordinates: set[float] = set()
        self._replaced: dict[str, str] = {}

    def learn_serial(self, serial: str) -> None:
        """Replace this serial number wherever it occurs."""
        if _MIN_SERIAL_LENGTH <= len(serial) <= MAX_LENGTH:
            self._serials.add(serial)
            self._replaced.clear()
            self.for_serial(serial)

    def learn_name(self, name: str) -> None:
        """Replace this name of a person, place or device wherever it is a whole string."""
        if _MIN_NAME_LENGTH <= len(name) <= MAX_LENGTH:
            self._names.add(name)

    def learn_coordinate(self, degrees: float) -> None:
        """Replace this latitude or longitude wherever it occurs; a whole number is none."""
        if not degrees.is_integer():
            self._coordinates.add(degrees)

    def is_known_coordinate(self, value: Any) -> bool:
        """Whether this is a learned latitude or longitude."""
        return isinstance(value, float) and value in self._coordinates

    def is_known_name(self, text: str) -> bool:
        """Whether this is a learned name."""
        return text in self._names

    def has_known_name(self, text: str) -> bool:
        """Whether a learned name is a part of this text."""
        return len(self._names) <= _MAX_NAMES and any(name in text for name in self._names)

    def for_name(self, name: str) -> Placeholder:
        """Return the placeholder of a field's name."""
        return self._get("name", name, lambda number: f"name-{number}")

    def is_known_serial(self, value: Any) -> bool:
        """Whether this is a learned serial number."""
        return str(value) in self._serials

    def for_serial(self, serial: str) -> Placeholder:
        """Return the placeholder of a serial number; of equal length if it consists of digits."""
        if serial.isdecimal():
            width = min(max(len(serial) - 2, 1), _MAX_SERIAL_LENGTH - 2)
            return self._get("serial", serial, lambda number: f"12{number:0{width}d}")
        if _DIGITS.search(serial):
            # A meter's serial number is the gateway's, EIM and a digit.
            return Placeholder(_DIGITS.sub(lambda match: self.for_serial(match[0]), serial))
        return self._get("serial", serial, lambda number: f"serial-{number}")

    def for_mac(self, address: str) -> Placeholder:
        """Return the placeholder of a MAC address, from the range for documentation (RFC 7042)."""
        return self._get("mac", address.upper(), lambda number: f"00:00:5E:00:53:{number % 256:02X}")

    def replace_in_text(self, text: str) -> str:
        """Return the text with identifying parts replaced: a Placeholder if there were any."""
        if len(text) > MAX_LENGTH:
            return TEXT
        if (replaced := self._replaced.get(text)) is None:
            replaced = self._search_text(text)
            if len(self._replaced) < _MAX_REPLACED:
                self._replaced[text] = replaced
        return replaced

    def _search_text(self, text: str) -> str:
        result = self.for_serial(text) if text in self._serials else text
        for pattern in (_WORD, _RUN):
            result = pattern.sub(
                lambda match: self.for_serial(match[0]) if match[0] in self._serials else match[0], result
            )
        # Placeholders of serial numbers match the patterns too.
        result = _TOKEN.sub("hidden", result)
        result = _UUID.sub("00000000-0000-0000-0000-000000000000", result)
        result = _E_MAIL.sub(
            lambda match: self._get("e-mail", match[0], lambda number: f"owner{number}@example.com"), result
        )
        result = _MAC.sub(lambda match: self.for_mac(match[0]), result)
        result = _BARE_MAC.sub(lambda match: self.for_mac(match[0]), result)
        result = _IP_4.sub(lambda match: self._replace_address(match[0]), result)
        result = _IP_6.sub(lambda match: self._replace_address(match[0]), result)
        result = _SERIAL.sub(
            lambda match: match[0] if match[0] in self._used else self.for_serial(match[0]), result
        )
        result = _HOST.sub(lambda match: self._replace_host(match[0]), result)
        result = _OPAQUE.sub("hidden", result)
        return text if result == text else Placeholder(result)

    def _replace_host(self, name: str) -> str:
        if name in self._used or name == "example.com":
            return name
        return self._get("host", name, lambda number: f"host{number}.example")

    def _replace_address(self, text: str) -> str:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return text
        if address.is_loopback or address.is_unspecified or text.startswith("255."):
            return text
        if address.version == 4:
            return self._get("IPv4", text, lambda number: f"192.0.2.{(number - 1) % 254 + 1}")
        return self._get("IPv6", text, lambda number: f"2001:db8::{number:x}")

    def _get(self, kind: str, original: str, create: Callable[[int], str]) -> Placeholder:
        if is_numbered_placeholder(original):
            return Placeholder(original)
        key = kind, original
        if key not in self._placeholders:
            self._counts[kind] += 1
            self._placeholders[key] = Placeholder(create(self._counts[kind]))
            self._used.add(self._placeholders[key])
        return self._placeholders[key]
