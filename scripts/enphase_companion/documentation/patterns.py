"""What identifies by its form alone, wherever it stands: serial numbers, addresses, e-mail, tokens."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any


class Replaced(str):
    """A text that stands in the place of another one: no value that a field can be said to have."""

    __slots__ = ()


_TOKEN = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*){0,2}|-----BEGIN.*?-----END[^-]*-----", re.DOTALL)
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
#: Digits and letters without an order that a person would give them.
_OPAQUE = re.compile(
    r"(?<![\w+/=-])(?=[\w+/-]*\d)(?=[\w+/-]*[A-Za-z])(?:[A-Za-z0-9+/]{20,}|[\w-]{32,})={0,2}(?![\w+/=-])"
)
_E_MAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_MAC = re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:])")
_BARE_MAC = re.compile(r"\b(?=[0-9a-fA-F]*[a-fA-F])(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{12}\b")
_IP_4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_IP_6 = re.compile(r"(?<![\w:])[0-9A-Fa-f:]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?![\w:])")
_SERIAL = re.compile(r"(?<![0-9A-Za-z.])\d{11,16}(?![\d.])")
_DIGITS = re.compile(r"\d{11,16}")
#: A shorter serial number would be found inside of words.
_SHORTEST_SERIAL = 6


class Substitutes:
    """Gives for each thing that identifies an invented one, always the same for the same."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], Replaced] = {}
        self._serials: set[str] = set()

    def learn_serial(self, serial: str) -> None:
        """Know this serial number wherever it turns up."""
        if len(serial) >= _SHORTEST_SERIAL:
            self._serials.add(serial)
            self.serial(serial)

    def knows(self, value: Any) -> bool:
        """Whether this is a serial number that was learned."""
        return str(value) in self._serials

    def serial(self, serial: str) -> Replaced:
        """Give a serial number in the place of this one: of digits as many, where it is of digits."""
        if serial.isdecimal():
            width = max(len(serial) - 2, 1)
            return self._for("serial", serial, lambda number: f"12{number:0{width}d}")
        if _DIGITS.search(serial):
            # A meter has the gateway's serial number, EIM and a number.
            return Replaced(_DIGITS.sub(lambda found: self.serial(found[0]), serial))
        return self._for("serial", serial, lambda number: f"serial-{number}")

    def mac(self, address: str) -> Replaced:
        """Give a hardware address of those for documentation (RFC 7042)."""
        return self._for("mac", address.upper(), lambda number: f"00:00:5E:00:53:{number % 256:02X}")

    def in_text(self, text: str) -> str:
        """Give the text with all that identifies replaced; a Replaced if there was any."""
        result = text
        for serial in sorted(self._serials, key=lambda each: (-len(each), each)):
            if serial in result:
                result = result.replace(serial, self.serial(serial))
        # What stands here now looks like a serial number still, and is none.
        invented = {str(each) for each in self._given.values()}
        result = _TOKEN.sub("hidden", result)
        result = _UUID.sub("00000000-0000-0000-0000-000000000000", result)
        result = _E_MAIL.sub(
            lambda found: self._for("e-mail", found[0], lambda number: f"owner{number}@example.com"), result
        )
        result = _MAC.sub(lambda found: self.mac(found[0]), result)
        result = _BARE_MAC.sub(lambda found: self.mac(found[0]), result)
        result = _IP_4.sub(lambda found: self._address(found[0]), result)
        result = _IP_6.sub(lambda found: self._address(found[0]), result)
        result = _SERIAL.sub(
            lambda found: found[0] if found[0] in invented else self.serial(found[0]), result
        )
        result = _OPAQUE.sub("hidden", result)
        return text if result == text else Replaced(result)

    def _address(self, text: str) -> str:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return text
        if address.is_loopback or address.is_unspecified or text.startswith("255."):
            return text
        if address.version == 4:
            return self._for("IPv4", text, lambda number: f"192.0.2.{(number - 1) % 254 + 1}")
        return self._for("IPv6", text, lambda number: f"2001:db8::{number:x}")

    def _for(self, kind: str, original: str, invent: Callable[[int], str]) -> Replaced:
        key = kind, original
        if key not in self._given:
            number = sum(each == kind for each, _ in self._given) + 1
            self._given[key] = Replaced(invent(number))
        return self._given[key]
