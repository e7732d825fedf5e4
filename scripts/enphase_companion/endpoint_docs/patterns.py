"""What identifies by its form alone, wherever it stands: serial numbers, addresses, e-mail, tokens."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable
from typing import Any


class Replaced(str):
    """A text that stands in the place of another one: no value that a field can be said to have."""

    __slots__ = ()


#: In the place of a text that may say anything.
TEXT = Replaced("text")

#: Characters; no word, address or version of a gateway's is longer, and what is, is not looked into.
LONGEST = 128

# Each begins where no character before could begin it too, and never takes back what it took: the time they
# need grows as a text's length does.
_TOKEN = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*){0,2}")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
#: Digits and letters without an order that a person would give them.
_OPAQUE = re.compile(
    r"(?<![\w+/=-])(?=[\w+/-]*\d)(?=[\w+/-]*[A-Za-z])(?:[A-Za-z0-9+/]{20,}+|[\w-]{32,}+)={0,2}+(?![\w+/=-])"
)
_E_MAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]++(?:\.[\w-]++)++")
_MAC = re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:])")
_BARE_MAC = re.compile(r"\b(?=[0-9a-fA-F]*[a-fA-F])(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{12}\b")
_IP_4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_IP_6 = re.compile(r"(?<![\w:])(?=[0-9A-Fa-f]*+:[0-9A-Fa-f]*+:)[0-9A-Fa-f:]++(?![\w:])")
#: As networks at home and the most common domains have them: a gateway's own words have dots in them too.
_HOST = re.compile(
    r"(?<![\w.-])[\w-]++(?:\.[\w-]++)*?\.(?:local|localdomain|lan|home|internal|box|example|com|net|org)(?![\w-])",
    re.IGNORECASE,
)
_SERIAL = re.compile(r"(?<![0-9A-Za-z.])\d{11,16}(?![\d.])")
_DIGITS = re.compile(r"\d{11,16}")
#: What a serial number that was learned can be in a text: a word, or the digits or the letters of one.
_WORD = re.compile(r"[0-9A-Za-z]+")
_RUN = re.compile(r"[0-9]+|[A-Za-z]+")
#: A shorter serial number would be found inside of words.
_SHORTEST_SERIAL = 6
#: Characters; a longer one gets a shorter one in its place.
_LONGEST_SERIAL = 32
#: A name that people, houses and machines have is rarely shorter, and a shorter one is a word of a program's.
_SHORTEST_NAME = 4


class Substitutes:
    """Gives for each thing that identifies an invented one, always the same for the same."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], Replaced] = {}
        self._counts: Counter[str] = Counter()
        self._invented: set[str] = set()
        self._serials: set[str] = set()
        self._names: set[str] = set()

    def learn_serial(self, serial: str) -> None:
        """Know this serial number wherever it turns up."""
        if _SHORTEST_SERIAL <= len(serial) <= LONGEST:
            self._serials.add(serial)
            self.serial(serial)

    def learn_name(self, name: str) -> None:
        """Know this name of a person, a place or a machine wherever it is all there is."""
        if _SHORTEST_NAME <= len(name) <= LONGEST:
            self._names.add(name)

    def knows_name(self, text: str) -> bool:
        """Return whether this is a name that was learned."""
        return text in self._names

    def name(self, name: str) -> Replaced:
        """Return a field's name for this one."""
        return self._for("name", name, lambda number: f"name-{number}")

    def knows(self, value: Any) -> bool:
        """Whether this is a serial number that was learned."""
        return str(value) in self._serials

    def serial(self, serial: str) -> Replaced:
        """Return a serial number in the place of this one: of digits as many, where it is of digits."""
        if serial.isdecimal():
            width = min(max(len(serial) - 2, 1), _LONGEST_SERIAL - 2)
            return self._for("serial", serial, lambda number: f"12{number:0{width}d}")
        if _DIGITS.search(serial):
            # A meter has the gateway's serial number, EIM and a number.
            return Replaced(_DIGITS.sub(lambda found: self.serial(found[0]), serial))
        return self._for("serial", serial, lambda number: f"serial-{number}")

    def mac(self, address: str) -> Replaced:
        """Return a hardware address of those for documentation (RFC 7042)."""
        return self._for("mac", address.upper(), lambda number: f"00:00:5E:00:53:{number % 256:02X}")

    def in_text(self, text: str) -> str:
        """Return the text with all that identifies replaced; a Replaced if there was any."""
        if len(text) > LONGEST:
            return TEXT
        result = self.serial(text) if text in self._serials else text
        for pattern in (_WORD, _RUN):
            result = pattern.sub(
                lambda found: self.serial(found[0]) if found[0] in self._serials else found[0], result
            )
        # What is invented now looks like a serial number still, and is none.
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
            lambda found: found[0] if found[0] in self._invented else self.serial(found[0]), result
        )
        result = _HOST.sub(lambda found: self._host(found[0]), result)
        result = _OPAQUE.sub("hidden", result)
        return text if result == text else Replaced(result)

    def _host(self, name: str) -> str:
        if name in self._invented or name == "example.com":
            return name
        return self._for("host", name, lambda number: f"host{number}.example")

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
            self._counts[kind] += 1
            self._given[key] = Replaced(invent(self._counts[kind]))
            self._invented.add(self._given[key])
        return self._given[key]
