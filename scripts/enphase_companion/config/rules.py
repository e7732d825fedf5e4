"""The rules of settings: each returns a value in the form that the settings hold, or raises vol.Invalid.

settings.py names them, so this module imports voluptuous and the client only when a rule runs: `--help` does
not wait for them.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from ..runtime.errors import CommandError

if TYPE_CHECKING:
    import voluptuous as vol

#: Advice of a message about characters with a meaning in an address.
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


def split_hosts(url: str) -> list[str]:
    """Return the URL of each host that a URL names, separated by commas."""
    scheme, _, rest = url.partition("://")
    authority, *after = re.split(r"(?=[/?#])", rest, maxsplit=1)
    user, at, hosts = authority.rpartition("@")
    return [f"{scheme}://{user}{at}{host}{''.join(after)}" for host in hosts.split(",")]


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


_LOCAL_TIME = Path("/etc/localtime")
_NAME_FILE = Path("/etc/timezone")


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of this name, such as Europe/Vienna.

    Raises CommandError if there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise CommandError(
            f"{name}: unknown time zone: use a name such as Europe/Vienna; if even that is unknown, install "
            "the package tzdata"
        ) from None


def system_zone() -> ZoneInfo:
    """Return the time zone of this machine; UTC where it has none that is known."""
    for name in (os.environ.get("TZ", "").lstrip(":"), _read_linked_zone(), _read_zone_file()):
        if name:
            try:
                return ZoneInfo(name)
            except (KeyError, OSError, ValueError):
                continue
    return ZoneInfo("UTC")


def _read_linked_zone() -> str:
    # /usr/share/zoneinfo/Europe/Vienna
    _, found, name = str(_LOCAL_TIME.resolve()).partition("/zoneinfo/")
    return name if found else ""


def _read_zone_file() -> str:
    try:
        return _NAME_FILE.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def invalid(reason: str) -> vol.Invalid:
    """Return the error for a value that cannot be right; the reason never holds the value."""
    import voluptuous as vol  # noqa: PLC0415

    return vol.Invalid(reason)


def text(value: Any) -> str:
    """Take a text that is not empty, without the space around it."""
    if not isinstance(value, str) or not value.strip():
        raise invalid('must be a text, in "quotation marks" in the file')
    return value.strip()


def secret(value: Any) -> str:
    """Take a text as it is: a password may begin or end with a space."""
    if not isinstance(value, str):
        raise invalid('must be a text, in "quotation marks" in the file')
    return value


def token(value: Any) -> str:
    """Take a token without the line breaks that pasting adds."""
    return re.sub(r"\s+", "", text(value))


def serial_number(value: Any) -> str:
    """Take 12 digits, as a number too."""
    digits = str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)
    if not re.fullmatch(r"[0-9]{12}", digits):
        raise invalid("must be the 12 digits that are printed on the gateway")
    return digits


def host(value: Any) -> str:
    """Take the address of a web service."""
    from enphase_api import InvalidHostError  # noqa: PLC0415
    from enphase_api.http import parse_host  # noqa: PLC0415

    try:
        return str(parse_host(text(value), plain_on_loopback=True)).rstrip("/")
    except InvalidHostError as error:
        raise invalid(str(error)) from None


def gateway_host(value: Any) -> str:
    """Take the address of a gateway."""
    from enphase_api import InvalidHostError  # noqa: PLC0415
    from enphase_api.http import read_host  # noqa: PLC0415

    try:
        return str(read_host(text(value)))
    except InvalidHostError as error:
        raise invalid(str(error)) from None


def home_assistant_url(value: Any) -> str:
    """Take the address of a Home Assistant: the scheme decides whether the token is sent encrypted."""
    from yarl import URL  # noqa: PLC0415

    like = "must be an address such as https://homeassistant.local:8123, beginning with https:// or http://"
    try:
        url = URL(text(value))
    except ValueError:
        raise invalid(like) from None
    if url.scheme not in ("http", "https") or not url.host or not url.host.isprintable():
        raise invalid(like)
    if url.user or url.password or url.path not in ("", "/") or url.query_string or url.fragment:
        raise invalid(f"{like}, without anything after the host and its port")
    return str(url.origin())


def number(low: float, high: float, of_what: str) -> Callable[[Any], float]:
    """Return the rule for a number from `low` to `high`; `of_what` ends in a space or is empty."""

    def check(value: Any) -> float:
        try:
            found = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            found = math.nan
        if not low <= found <= high:
            raise invalid(f"must be a number {of_what}from {low:.12g} to {high:.12g}")
        return found

    return check


def degrees(limit: float) -> Callable[[Any], float]:
    """Return the rule for degrees from -limit to limit."""
    return number(-limit, limit, "of degrees ")


def whole(low: int, high: int) -> Callable[[Any], int]:
    """Return the rule for a whole number from `low` to `high`."""
    any_number = number(low, high, "")

    def check(value: Any) -> int:
        found = any_number(value)
        if not found.is_integer():
            raise invalid(f"must be a whole number from {low} to {high}")
        return int(found)

    return check


def boolean(value: Any) -> bool:
    """Take true or false, as JSON or as text."""
    found = {"true": True, "false": False}.get(str(value).strip().lower())
    if found is None:
        raise invalid("must be true or false")
    return found


def names_of(known: Sequence[str]) -> Callable[[Any], tuple[str, ...]]:
    """Return the rule for some of these names, in any order: a list, or a text with commas."""

    def check(value: Any) -> tuple[str, ...]:
        names = value if isinstance(value, list) else text(value).split(",")
        found = tuple(str(name).strip().lower() for name in names)
        if not found or not set(found) <= set(known):
            raise invalid(f"must be one or more of {', '.join(known)}, separated by commas")
        return found

    return check


def rotation(value: Any) -> int:
    """Take a quarter turn."""
    if str(value) not in ("0", "90", "180", "270"):
        raise invalid("must be 0, 90, 180 or 270")
    return int(value)


def amqp_names(value: Any) -> tuple[str, ...]:
    """Take names of queues: a list, or a text with commas; "none" is no name."""
    names = value if isinstance(value, list) else text(value).split(",")
    if names == ["none"]:
        return ()
    return tuple(amqp_name(name) for name in names)


def amqp_name(value: Any) -> str:
    """Take the name of a queue or an exchange; RabbitMQ keeps names in "amq." for itself."""
    name = text(value)
    if len(name.encode()) > 200 or name.startswith("amq."):
        raise invalid('must be a name of at most 200 bytes that does not begin with "amq."')
    return name


def amqp_host(value: Any) -> str:
    """Take the host of a broker, or those of a cluster's nodes, each with a port or without."""
    hosts = []
    for name in text(value).split(","):
        # An IPv6 address without a port needs no brackets.
        host = f"[{name.strip()}]" if name.count(":") > 1 and "[" not in name else name.strip()
        if not re.match(r"[\w\[]", host) or re.search("[@/?#]", host) or not is_clear(f"amqp://{host}"):
            raise invalid("must be a host such as broker.example, or several: one.example,two.example:5673")
        hosts.append(host)
    return ",".join(hosts)


def amqp_url(value: Any) -> str:
    """Take the URL of a broker, or of a cluster, whose user and password cannot be mistaken for its host."""
    from yarl import URL  # noqa: PLC0415

    address = text(value)
    like = "must be an address such as amqps://broker.example:5671/, with user:password@ before the host"
    if not re.match(r"amqps?://", address):
        raise invalid(like)
    urls = split_hosts(address)
    if not all(map(is_clear, urls)):
        raise invalid(
            f"{like}: {SPELLING}, or set amqp_host, amqp_username and amqp_password, which take them as "
            "they are"
        )
    try:
        is_complete = all(URL(url).host for url in urls)
    except ValueError:
        is_complete = False
    if not is_complete:
        raise invalid(like)
    return address


def time_zone(value: Any) -> str:
    """Take the name of a time zone."""
    from .rules import zone_of  # noqa: PLC0415

    try:
        return zone_of(text(value)).key
    except CommandError:
        raise invalid("must be the name of a time zone, such as Europe/Vienna") from None


def file(value: Any) -> Path:
    """Take the path of a file; ~ is the home directory."""
    return Path(text(value)).expanduser()
