"""The words of a field's name, and what they say about its values."""

from __future__ import annotations

import re
from functools import lru_cache

from .placeholders import MAX_LENGTH

SERIAL = {"serial", "serialnum", "serialnumber", "sn", "eserial"}
IDENTIFYING = {
    "account", "accountid", "address", "bssid", "cert", "certificate", "city", "company", "cookie",
    "country", "customer", "dns", "domain", "email", "essid", "fingerprint", "firstname", "guid", "host",
    "hostname", "installer", "jwt", "key", "lastname", "logger", "mail", "mobile", "name", "owner",
    "passcode", "passphrase", "passwd", "password", "phone", "pin", "pincode", "postal", "postcode", "psk",
    "region", "secret", "session", "site", "ssid", "street", "suburb", "systemid", "token", "uri", "url",
    "user", "username", "uuid", "zip",
}  # fmt: skip
#: Those that hold the name of a person, house or device: it is replaced wherever it occurs again.
NAMES = {
    "bssid", "company", "customer", "domain", "essid", "firstname", "host", "hostname", "installer",
    "lastname", "owner", "site", "ssid", "user", "username",
}  # fmt: skip
#: Fields in the catalogue with names that the owner chooses.
CHOSEN_BY_OWNER = {"load_name", "logger"}
LOCATION = {
    "coord", "coordinates", "geo", "gps", "lat", "latitude", "lng", "location", "lon", "longitude",
    "position",
}  # fmt: skip
TIME = {
    "at", "created", "date", "epoch", "expires", "expiry", "gmt", "installed", "since", "time", "timestamp",
    "until", "update", "updated",
}  # fmt: skip
ZONE = {"gmtoffset", "timezone", "tz", "tzoffset", "utcoffset", "zone"}
VERSION = {"version", "vers", "fw", "software", "firmware", "img", "ptpn"}
#: Words of field names that are kept inside an identifying object; any other may be a name.
HARMLESS_CHILDREN = {
    *SERIAL, *IDENTIFYING, *LOCATION, *TIME, *ZONE, *VERSION, "count", "enabled", "id", "index", "ip",
    "length", "level", "mac", "part", "port", "role", "size", "state", "status", "type", "valid", "value",
}  # fmt: skip


@lru_cache(maxsize=4096)
def words_of(name: str) -> frozenset[str]:
    """Return the words of a name such as lastReportDate, last_rpt_date or serialNumber, and the whole name.

    Plurals are added in the singular.
    """
    words = {*split_name(name), re.sub(r"[^a-z0-9]", "", name[:MAX_LENGTH].lower())}
    return frozenset(words | {singular(word) for word in words})


def split_name(name: str) -> list[str]:
    """Return the words of a name, in order."""
    return re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:MAX_LENGTH]).lower())


def singular(word: str) -> str:
    """Return a word without the ending of a plural."""
    return word.removesuffix("es" if word.endswith("sses") else "s")
