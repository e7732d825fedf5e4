"""Addresses that hold a user and a password: what is wrong with one is said without any part of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import unquote

#: How a message says what to write for letters that mean something in an address.
SPELLING = "in user and password, @ : / # ? % are written %40 %3A %2F %23 %3F %25"

#: Nothing, a name or an IP address, and a port.
_PLACE = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[\w.-]*)(?::(?P<port>[0-9]{1,5}))?")


def is_clear(address: str) -> bool:
    """Whether nothing in an address can be taken for host or port that belongs to the user or the password.

    An unwritten rule of the libraries would decide otherwise: one takes what is left of the first @ for the
    password, another what is left of the last, and a / or # ends it for a third.
    """
    authority, *rest = re.split(r"(?=[/?#])", address.partition("://")[2], maxsplit=1)
    user, _, place = authority.rpartition("@")
    found = _PLACE.fullmatch(place)
    if found is None or not 0 < int(found["port"] or 1) <= 65_535:
        return False
    return "@" not in user and not re.search("[@#]", "".join(rest))


def is_this_machine(host: str | None) -> bool:
    """Return whether what is sent to a host stays on this machine; None: no host is named."""
    try:
        return host is None or ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def secrets(address: str) -> Iterator[str]:
    """Yield what of an address no message may show; nothing of a file's name."""
    if "@" in address:
        password = address.partition("://")[2].rpartition("@")[0].partition(":")[2]
        yield from (address, password, unquote(password))
    elif "://" in address and not address.lstrip().startswith("sqlite"):
        yield address
