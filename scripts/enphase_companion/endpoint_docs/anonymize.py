"""Anonymize answers: replace whatever identifies a person, place or device with placeholders.

Equal values get equal placeholders, of the same form, and equal answers give equal results. Measured values,
states, versions and meter ids are kept. A string is kept only if it is a known value or consists of
technical words: an unknown one is replaced rather than disclosed. The same applies to field names, as a
gateway may list objects under serial numbers, addresses or host names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .answers import Answer, Outcome, Recording
from .catalogue import ANY_NAME, Endpoint, Field
from .field_words import (
    CHOSEN_BY_OWNER,
    HARMLESS_CHILDREN,
    IDENTIFYING,
    LOCATION,
    NAMES,
    SERIAL,
    TIME,
    VERSION,
    ZONE,
    singular,
    split_name,
    words_of,
)
from .placeholders import (
    DAY,
    MAX_LENGTH,
    NOON,
    REFERENCE,
    TEXT,
    Placeholder,
    Placeholders,
    is_numbered_placeholder,
    is_placeholder,
    parse_timestamp,
    remove_placeholders,
    shift,
    shift_text,
)
from .schema import generalize_name
from .vocabulary import has_private_form, is_technical

#: Greenwich.
_LATITUDE, _LONGITUDE = 51.4779, -0.0015

_IDENTIFIER = re.compile(r"-?[A-Za-z0-9_.:/+,#%-]{0,64}|\d+(?:\.\d+)? ?[A-Za-z%]{1,4}")
#: In a field of the catalogue, such as "CG - Charge From Grid".
_PHRASE = re.compile(r"[A-Za-z][A-Za-z0-9_.:/+,#% -]{0,63}")
#: A state of the firmware, such as ENCHG_STATE_READY, in a field of the catalogue.
_CONSTANT = re.compile(r"EN[A-Z]{2,4}(?:_[A-Z0-9]+)+")
#: A shifted timestamp, which is not prose although it has spaces.
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})? ?(?:Z|[A-Z]{2,4}|[+-]\d\d:?\d\d)?")
_ZONE_OF_TIME = re.compile(r"(?:[A-Z]{2,4}|[+-]\d\d:?\d\d)$")
#: The form of names of people and places.
_PROPER_NAME = re.compile(r"[A-Z][a-z]+(?:[._-]?[A-Z][a-z]+)*")
#: In field names without underscores: those join the words of identifiers, such as Export_Limit_Type.
_PROPER_FIELD = re.compile(r"[A-Z][a-z]+(?:[.-]?[A-Z][a-z]+)*")
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d)?")
#: A version, unless it has the form of a local address, a MAC address, a coordinate or a serial number.
_VERSION_TEXT = re.compile(
    r"(?!(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+\.)(?!(?:[0-9A-Fa-f]{2}[:-]){5})"
    r"(?!(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}$)(?![A-Z]?-?\d+\.\d{5,}$)(?!.*\d{8})[\w./+-]*"
)
#: In field names: those of firmware have words, joined by underscores, or are ids.
_NO_WORDS = re.compile(r"(?![1-9]\d*$).*(?:[^A-Za-z0-9_]|\d{5})")
_AMERICAN_DAY = re.compile(r"\d{1,2}/\d{1,2}/\d{4}")
_DEGREES = re.compile(r"[+-]?\d{1,3}\.\d{1,20}")
_MIN_SERIAL = 10**5
_COUNTS = ("joule", "wh", "vah", "varh", "energy", "count", "time")
#: Of 11 to 16 digits, as in texts.
_SERIAL_RANGE = range(10**10, 10**16)


def anonymize(recording: Recording, endpoints: tuple[Endpoint, ...], placeholders: Placeholders) -> Recording:
    """Return an anonymized recording.

    Equal values in recordings that share `placeholders` get equal placeholders.
    """
    answered = [
        (request, endpoint, recording.answers[request])
        for endpoint in endpoints
        for request in endpoint.requests
        if request in recording.answers
    ]
    values = [each for _, _, answer in answered for each in _values(answer.content)]
    for name, value in values:
        if words_of(name) & SERIAL and isinstance(value, (str, int)) and not isinstance(value, bool):
            placeholders.learn_serial(str(value))
        elif words_of(name) & NAMES and isinstance(value, str):
            placeholders.learn_name(value)
        elif words_of(name) & LOCATION and (degrees := _parse_degrees(value)) is not None:
            placeholders.learn_coordinate(degrees)
    newest = max(
        (at for name, value in values if words_of(name) & TIME and (at := parse_timestamp(value))), default=0
    )
    anonymizer = _Anonymizer(placeholders, REFERENCE - newest)
    return Recording(
        recording.firmware,
        {
            request: Answer(Outcome.ANSWERED, anonymizer.anonymize_tree(answer.content, endpoint.fields))
            if answer.outcome is Outcome.ANSWERED
            else answer
            for request, endpoint, answer in answered
        },
    )


class _Anonymizer:
    """Anonymizes the answers of one gateway; all its timestamps are shifted by `offset` seconds."""

    def __init__(self, placeholders: Placeholders, offset: int) -> None:
        self._placeholders = placeholders
        self._offset = offset

    def anonymize_tree(
        self, value: Any, fields: Mapping[str, Mapping[str, Field]], path: str = "", name: str = ""
    ) -> Any:
        if isinstance(value, dict):
            known = fields.get(path, {})
            inside = f"{path}." if path else ""
            identifies = bool(words_of(name) & (IDENTIFYING | SERIAL))
            is_map = _is_map(value, path) and not known
            is_location = bool(words_of(name) & LOCATION)
            result = {}
            for key, content in value.items():
                shown = self._anonymize_name(key, known, in_identifying=identifies, in_map=is_map)
                # What is in a location is one, whatever its name.
                of = f"{name}_{key}" if is_location and key not in known else key
                result[shown] = self._anonymize_member(
                    content, fields, f"{inside}{generalize_name(shown)}", of, known
                )
            return result
        if isinstance(value, list):
            return [self.anonymize_tree(each, fields, f"{path}[]", name) for each in value]
        return self._anonymize_value(name, value, None)

    def _anonymize_name(
        self, key: str, known: Mapping[str, Field], *, in_identifying: bool, in_map: bool
    ) -> str:
        """Return a field's name if it is an identifier in a program, else a placeholder."""
        if key in known:
            return key
        if is_numbered_placeholder(key):
            return Placeholder(key)
        # The prefix of XML attributes.
        prefix = key[: key.startswith("@")]
        name = key.removeprefix(prefix)
        replaced = self._placeholders.replace_in_text(name)
        if replaced != name and replaced is not TEXT:
            return Placeholder(prefix + replaced)
        is_private = (
            replaced is TEXT
            or self._placeholders.is_known_name(name)
            or not _IDENTIFIER.fullmatch(name)
            or _PROPER_FIELD.fullmatch(name)
            or (
                ((in_map and not name.isdecimal()) or _NO_WORDS.match(name))
                and not is_technical(name, strict=True)
                and not HARMLESS_CHILDREN.issuperset(split_name(name))
            )
            or (
                in_identifying
                and not all({word, singular(word)} & HARMLESS_CHILDREN for word in split_name(name))
            )
        )
        return Placeholder(prefix + self._placeholders.for_name(name)) if is_private else key

    def _anonymize_member(
        self,
        value: Any,
        fields: Mapping[str, Mapping[str, Field]],
        path: str,
        name: str,
        known: Mapping[str, Field],
    ) -> Any:
        if isinstance(value, dict):
            return self.anonymize_tree(value, fields, path, name)
        about = known.get(name)
        if about is None and isinstance(value, (int, float)):
            about = known.get(ANY_NAME)
        if isinstance(value, list):
            return [
                self.anonymize_tree(each, fields, f"{path}[]", name)
                if isinstance(each, (dict, list))
                else self._anonymize_value(name, each, about)
                for each in value
            ]
        return self._anonymize_value(name, value, about)

    def _anonymize_value(self, name: str, value: Any, known: Field | None) -> Any:
        if value is None or isinstance(value, bool) or value == "":
            return value
        words = words_of(name)
        if words & ZONE:
            return Placeholder("Etc/UTC") if isinstance(value, str) else 0
        if words & LOCATION:
            return _match_type(value, _LATITUDE if words & {"lat", "latitude"} else _LONGITUDE)
        if words & TIME and parse_timestamp(value):
            return shift(value, self._offset)
        if isinstance(value, str):
            return self._anonymize_text(name, words, value, known)
        return self._anonymize_number(words, value, known)

    def _anonymize_text(self, name: str, words: frozenset[str], value: str, known: Field | None) -> str:
        if is_placeholder(value):
            return Placeholder(value)
        return self._replace_by_name(name, words, value, known) or self._replace_by_form(words, value, known)

    def _anonymize_number(self, words: frozenset[str], value: Any, known: Field | None) -> Any:
        is_unknown = known is None
        if self._placeholders.is_known_coordinate(value):
            return _LONGITUDE
        if (
            # Fewer digits are a count of something with a serial number, if the catalogue knows the field.
            (words & SERIAL and (is_unknown or abs(value) >= _MIN_SERIAL))
            or self._placeholders.is_known_serial(value)
            or (not (known and known.unit) and _may_be_serial(value, words))
        ):
            # A fraction is never a serial number, but may be private in another way.
            return int(self._placeholders.for_serial(str(value))) if str(value).isdecimal() else 0
        return 0 if words & IDENTIFYING and is_unknown else value

    def _replace_by_name(
        self, name: str, words: frozenset[str], value: str, known: Field | None
    ) -> str | None:
        """Return the replacement of a string that its field name determines, else None."""
        if len(value) > MAX_LENGTH:
            return TEXT
        if known is not None and value in known.values:
            return value
        if words & SERIAL:
            return self._placeholders.for_serial(value)
        if "mac" in words:
            return self._placeholders.for_mac(value)
        if words & IDENTIFYING and (known is None or name in CHOSEN_BY_OWNER):
            return Placeholder("example")
        return Placeholder(NOON) if words & TIME and _CLOCK.fullmatch(value) else None

    def _replace_by_form(self, words: frozenset[str], value: str, known: Field | None) -> str:
        """Return any other string if it is an identifier in a program, else its replacement."""
        if self._placeholders.is_known_name(value) and known is None:
            return Placeholder("example")
        shifted = DAY if _AMERICAN_DAY.fullmatch(value) else shift_text(value, self._offset)
        is_version = bool(words & VERSION and _VERSION_TEXT.fullmatch(value))
        replaced = shifted if is_version else self._placeholders.replace_in_text(shifted)
        if _TIMESTAMP.fullmatch(replaced):
            replaced = _ZONE_OF_TIME.sub(lambda match: "UTC" if match[0].isalpha() else "+00:00", replaced)
        elif not self._is_harmless(remove_placeholders(replaced), known, is_version=is_version):
            return TEXT
        return value if replaced == value else Placeholder(replaced)

    def _is_harmless(self, text: str, known: Field | None, *, is_version: bool) -> bool:
        """Whether a text, without placeholders, names neither person nor place nor device."""
        if known is not None and _CONSTANT.fullmatch(text):
            return True
        if not is_version and not (known and known.unit) and has_private_form(text):
            return False
        has_form = _IDENTIFIER.fullmatch(text) or (known is not None and _PHRASE.fullmatch(text))
        if not has_form or (known is None and _PROPER_NAME.fullmatch(text)):
            return False
        # The words of an enumeration are known, except new ones.
        is_strict = not is_version and (known is None or bool(known.values))
        return is_technical(text, strict=is_strict) and not self._placeholders.has_known_name(text)


def _values(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value with the name of its field; elements of a list have the list's."""
    if isinstance(tree, dict):
        for key, content in tree.items():
            yield from _values(content, key)
    elif isinstance(tree, list):
        for each in tree:
            yield from _values(each, name)
    else:
        yield name, tree


def _is_map(value: Mapping[str, Any], path: str) -> bool:
    """Whether an object may list equal things by name; elements of a list are none, nor is the answer."""
    return path != "" and not path.endswith("[]") and len(set(map(type, value.values()))) == 1


def _may_be_serial(value: Any, words: frozenset[str]) -> bool:
    is_count = any(part in word for word in words for part in _COUNTS)
    return isinstance(value, int) and value in _SERIAL_RANGE and not is_count


def _parse_degrees(value: Any) -> float | None:
    """Return a coordinate, a number or a text that is one, else None."""
    is_number = isinstance(value, float) or (isinstance(value, str) and _DEGREES.fullmatch(value))
    return float(value) if is_number else None


def _match_type(value: Any, number: float) -> Any:
    return Placeholder(str(number)) if isinstance(value, str) else number
