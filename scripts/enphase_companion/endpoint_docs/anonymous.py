"""Takes out of answers what says whose they are: what is put in its place is of the same form, and invented.

The same thing is replaced by the same everywhere, and the same answers always by the same. What identifies
nobody stays: measured values, states, versions, numbers of meters. A text is kept only where it is a known
value or looks like a word of a program's, so what nobody has thought of is rather lost than told. The names
of fields are such texts too: a gateway may list what it knows under serial numbers, addresses or hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .answers import Answer, Outcome, Source
from .catalogue import Endpoint, Field
from .moments import DAY, NOON, REFERENCE, is_moment, shifted, shifted_text
from .patterns import LONGEST, TEXT, Replaced, Substitutes
from .schema import general

_SERIAL = {"serial", "serialnum", "serialnumber", "sn", "eserial"}
_NOBODYS = {
    "address", "bssid", "cert", "certificate", "city", "company", "cookie", "country", "customer", "dns",
    "domain", "email", "essid", "fingerprint", "firstname", "guid", "host", "hostname", "installer", "jwt",
    "key", "lastname", "logger", "mail", "mobile", "name", "owner", "passphrase", "passwd", "password",
    "phone", "pin", "postal", "postcode", "psk", "region", "secret", "session", "site", "ssid", "street",
    "suburb", "token", "uri", "url", "user", "username", "uuid", "zip",
}  # fmt: skip
#: Those of them under which a person, a house or a machine has a name that is known wherever it turns up.
_NAMES = {
    "bssid", "company", "customer", "domain", "essid", "firstname", "host", "hostname", "installer",
    "lastname", "owner", "site", "ssid", "user", "username",
}  # fmt: skip
#: Names that the catalogue knows and that an owner gives.
_GIVEN_BY_OWNERS = {"load_name", "logger"}
_PLACE = {"coordinates", "gps", "lat", "latitude", "lng", "location", "lon", "longitude", "position"}
_WHEN = {
    "at", "created", "date", "epoch", "expires", "expiry", "gmt", "installed", "since", "time", "timestamp",
    "until", "update", "updated",
}  # fmt: skip
_ZONE = {"timezone", "tz", "zone"}
_VERSION = {"version", "vers", "fw", "software", "firmware", "img", "ptpn"}
#: What a field can be called below one whose name says that it identifies; anything else there may be a name.
_NOBODYS_FIELDS = {
    *_SERIAL, *_NOBODYS, *_PLACE, *_WHEN, *_ZONE, *_VERSION, "count", "enabled", "id", "index", "ip",
    "length", "level", "mac", "part", "port", "role", "size", "state", "status", "type", "valid", "value",
}  # fmt: skip

#: Greenwich.
_LATITUDE, _LONGITUDE = 51.4779, -0.0015

_PROGRAMS_WORD = re.compile(r"-?[A-Za-z0-9_.:/+,#%-]{0,64}|\d+(?:\.\d+)? ?[A-Za-z%]{1,4}")
#: As one is invented.
_E_MAIL = re.compile(r"owner\d+@example\.com")
#: A moment that was moved is no prose, though there are spaces in it.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})? ?(?:Z|[A-Z]{2,4}|[+-]\d\d:?\d\d)?")
#: As people and places are written.
_PROPER_NAME = re.compile(r"[A-Z][a-z]+(?:[._-]?[A-Z][a-z]+)*")
#: Of fields only without underscores: those join the words of a program's, such as Export_Limit_Type.
_PROPER_FIELD = re.compile(r"[A-Z][a-z]+(?:[.-]?[A-Z][a-z]+)*")
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d)?")
_AMERICAN_DAY = re.compile(r"\d{1,2}/\d{1,2}/\d{4}")
_SERIAL_LIKE = range(10**11, 10**14)


def without_owners(source: Source, endpoints: tuple[Endpoint, ...], substitutes: Substitutes) -> Source:
    """Return a source without anything that says whose it is.

    The same thing in sources that share `substitutes` is replaced by the same.
    """
    answered = [
        (request, endpoint, source.answers[request])
        for endpoint in endpoints
        for request in endpoint.requests
        if request in source.answers
    ]
    values = [each for _, _, answer in answered for each in _values(answer.content)]
    for name, value in values:
        if _words(name) & _SERIAL and isinstance(value, (str, int)) and not isinstance(value, bool):
            substitutes.learn_serial(str(value))
        elif _words(name) & _NAMES and isinstance(value, str):
            substitutes.learn_name(value)
    newest = max(
        (at for name, value in values if _words(name) & _WHEN and (at := is_moment(value))), default=0
    )
    anonymiser = _Anonymiser(substitutes, REFERENCE - newest)
    return Source(
        source.firmware,
        {
            request: Answer(Outcome.ANSWERED, anonymiser.tree(answer.content, endpoint.fields))
            if answer.outcome is Outcome.ANSWERED
            else answer
            for request, endpoint, answer in answered
        },
    )


class _Anonymiser:
    """Replaces in the answers of one gateway, whose moments are all shifted by the same seconds."""

    def __init__(self, substitutes: Substitutes, shift: int) -> None:
        self._substitutes = substitutes
        self._shift = shift

    def tree(
        self, value: Any, fields: Mapping[str, Mapping[str, Field]], path: str = "", name: str = ""
    ) -> Any:
        if isinstance(value, dict):
            known = fields.get(path, {})
            inside = f"{path}." if path else ""
            identifies = bool(_words(name) & (_NOBODYS | _SERIAL))
            result = {}
            for key, content in value.items():
                name = self._name(key, known, below_names=identifies)
                result[name] = self._member(content, fields, f"{inside}{general(name)}", key, known)
            return result
        if isinstance(value, list):
            return [self.tree(each, fields, f"{path}[]", name) for each in value]
        return self._value(name, value, None)

    def _name(self, key: str, known: Mapping[str, Field], *, below_names: bool) -> str:
        """Return what comes in the place of a field's name: itself, where it can only be a program's."""
        if key in known:
            return key
        # An attribute's name, in XML.
        mark = key[: key.startswith("@")]
        name = key.removeprefix(mark)
        replaced = self._substitutes.in_text(name)
        if replaced != name and replaced is not TEXT:
            return Replaced(mark + replaced)
        its_own = (
            replaced is TEXT
            or self._substitutes.knows_name(name)
            or not _PROGRAMS_WORD.fullmatch(name)
            or _PROPER_FIELD.fullmatch(name)
            or (below_names and not all({word, _singular(word)} & _NOBODYS_FIELDS for word in _apart(name)))
        )
        return Replaced(mark + self._substitutes.name(name)) if its_own else key

    def _member(
        self,
        value: Any,
        fields: Mapping[str, Mapping[str, Field]],
        path: str,
        name: str,
        known: Mapping[str, Field],
    ) -> Any:
        if isinstance(value, dict):
            return self.tree(value, fields, path, name)
        if isinstance(value, list):
            return [
                self.tree(each, fields, f"{path}[]", name)
                if isinstance(each, (dict, list))
                else self._value(name, each, known.get(name))
                for each in value
            ]
        return self._value(name, value, known.get(name))

    def _value(self, name: str, value: Any, known: Field | None) -> Any:
        if value is None or isinstance(value, bool) or value == "":
            return value
        words = _words(name)
        if words & _ZONE:
            return Replaced("Etc/UTC")
        if words & _PLACE:
            return _as_form_of(value, _LATITUDE if words & {"lat", "latitude"} else _LONGITUDE)
        if words & _WHEN and is_moment(value):
            return shifted(value, self._shift)
        if isinstance(value, str):
            return self._by_name(name, words, value, known) or self._by_form(words, value, known)
        return self._number(words, value, known)

    def _number(self, words: set[str], value: Any, known: Field | None) -> Any:
        unknown = known is None
        if words & _SERIAL or self._substitutes.knows(value) or (unknown and _could_be_serial(value, words)):
            # A fraction is no serial number, whatever its name says, but may be anything else.
            return int(self._substitutes.serial(str(value))) if str(value).isdecimal() else 0
        return 0 if words & _NOBODYS and unknown else value

    def _by_name(self, name: str, words: set[str], value: str, known: Field | None) -> str | None:
        """Return the replacement for a text whose name says that it identifies, or that it does not."""
        if len(value) > LONGEST:
            return TEXT
        if known is not None and value in known.values:
            return value
        if words & _SERIAL:
            return self._substitutes.serial(value)
        if "mac" in words:
            return self._substitutes.mac(value)
        if words & _NOBODYS and (known is None or name in _GIVEN_BY_OWNERS):
            return Replaced("example")
        return Replaced(NOON) if words & _WHEN and _CLOCK.fullmatch(value) else None

    def _by_form(self, words: set[str], value: str, known: Field | None) -> str:
        """Return what comes in the place of any other text: itself, where it can only be a program's."""
        if self._substitutes.knows_name(value) and known is None:
            return Replaced("example")
        moved = DAY if _AMERICAN_DAY.fullmatch(value) else shifted_text(value, self._shift)
        replaced = moved if words & _VERSION else self._substitutes.in_text(moved)
        if not _PROGRAMS_WORD.fullmatch(_E_MAIL.sub("", replaced)) and not _MOMENT.fullmatch(replaced):
            return TEXT
        if replaced != value:
            return Replaced(replaced)
        return TEXT if _PROPER_NAME.fullmatch(value) and known is None else value


def _values(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value with the name that it, or the list that it is in, has."""
    if isinstance(tree, dict):
        for key, content in tree.items():
            yield from _values(content, key)
    elif isinstance(tree, list):
        for each in tree:
            yield from _values(each, name)
    else:
        yield name, tree


def _words(name: str) -> set[str]:
    """Return the words of a name such as lastReportDate, last_rpt_date or serialNumber, and the whole of it.

    Those of more than one thing are there in the singular too.
    """
    words = {*_apart(name), re.sub(r"[^a-z0-9]", "", name[:LONGEST].lower())}
    return words | {_singular(word) for word in words}


def _apart(name: str) -> list[str]:
    return re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:LONGEST]).lower())


def _singular(word: str) -> str:
    return word.removesuffix("es" if word.endswith("sses") else "s")


def _could_be_serial(value: Any, words: set[str]) -> bool:
    counted = any(part in word for word in words for part in ("joule", "wh", "energy", "count", "time"))
    return isinstance(value, int) and value in _SERIAL_LIKE and not counted


def _as_form_of(value: Any, number: float) -> Any:
    return Replaced(str(number)) if isinstance(value, str) else number
