"""The keys of an answer, recorded or described in the catalogue, with the types and sizes of their values.

A key's name is its path, as in schema.py: "[].channels[].eid"; "" is the whole answer. XML has no lists and
no types: its names are without "[]", and each is an element or text.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median
from typing import Any, cast

from .answers import Recording
from .catalogue import ANY_NAME, Endpoint
from .pages import find_answers
from .placeholders import Placeholder
from .schema import FieldSchema, infer_schema, join_path

#: Units of quantities that vary little, so that a factor of 1000 is never a different moment or house.
_STEADY = {"V", "Hz", "°C", "°F", "%", "s since 1970"}
#: Units of power and current, and of what is not in the catalogue. Energy grows for years, and reactive power
#: is often next to nothing.
_FLOW = {"W", "VA", "A", ""}
#: By how much values may miss a power of 1000, in powers of ten: factors of 3.2 and, for power, 1.25.
_TOLERANCE, _STRICT_TOLERANCE = 0.5, 0.1
_MAX_POWER = 2

#: In this order, as bool is a subclass of int.
_KINDS = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (dict, "object"),
    (type(None), "null"),
)
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")


@dataclass
class Key(FieldSchema):
    """A key: the types of its values, and their magnitude."""

    is_recorded: bool = True
    unit: str | None = None  #: by the catalogue; empty if it has none, None if it is not described
    kinds: set[str] = field(default_factory=set)  #: types of values that are neither empty nor null
    empty_kinds: set[str] = field(default_factory=set)
    numbers: list[float] = field(default_factory=list)  #: absolute values other than 0

    def add(self, values: Sequence[Any]) -> None:
        """Add these values."""
        for value in values:
            (self.empty_kinds if _is_empty(value) else self.kinds).add(_kind(value))
            for each in value if isinstance(value, list) else [value]:
                if number := _parse_number(each):
                    self.numbers.append(abs(number))

    def merge(self, other: Key) -> None:
        """Add the values of another key."""
        self.kinds |= other.kinds
        self.empty_kinds |= other.empty_kinds
        self.numbers += other.numbers

    @property
    def text(self) -> str:
        """Its types in words; those of its empty values if it has no others."""
        empty = ("null" if each == "null" else f"empty {each}" for each in self.empty_kinds)
        return " or ".join(sorted(self.kinds or empty))

    def has_type_of(self, other: Key) -> bool:
        """Whether the types are equal; if one key is a catalogue's, whether it allows those of the other."""
        ours, theirs = _comparable(self.kinds), _comparable(other.kinds)
        if self.is_recorded is other.is_recorded:
            return ours == theirs
        described, recorded = (theirs, ours) if self.is_recorded else (ours, theirs)
        return all(
            any(each == known or each.startswith(f"{known} of ") for known in described) for each in recorded
        )


def recorded_keys(recording: Recording, endpoint: Endpoint, requests: Collection[str]) -> dict[str, Key]:
    """Return the keys in the answers to these requests, with the units of the catalogue."""
    answers = {request: recording.answers[request] for request in requests if request in recording.answers}
    contents = [content for _, content in find_answers(endpoint, [Recording(recording.firmware, answers)])]
    is_xml = endpoint.format == "xml"
    if is_xml:
        contents = [_list_elements(each) for each in contents]
    whole = Key()
    whole.add(contents)
    inferred = {path: schema.fields for path, schema in infer_schema(contents, Key).items()}
    # infer_schema creates fields of the type that it was given.
    keys = {"": whole, **_flatten(cast("Mapping[str, Mapping[str, Key]]", inferred))}
    if is_xml:
        keys = {name.replace("[]", ""): _as_xml(key) for name, key in keys.items()}
    described = described_keys(endpoint)
    for name, described_name in _find_described(keys, described).items():
        keys[name].unit = described[described_name].unit
    return keys


def described_keys(endpoint: Endpoint) -> dict[str, Key]:
    """Return the keys that the catalogue describes, and the objects that they are in."""
    keys = _flatten(
        {
            path: {
                name: Key(is_recorded=False, unit=each.unit, kinds={*each.type.split(" or ")})
                for name, each in fields.items()
            }
            for path, fields in endpoint.fields.items()
        }
    )
    for path in endpoint.fields:
        for inner in (path, *_paths_around(path)):
            kind = "list of objects" if inner.endswith("[]") else "object"
            keys.setdefault(_strip_lists(inner), Key(is_recorded=False, unit="", kinds={kind}))
    if endpoint.format == "xml":
        keys = {name.replace("[]", ""): _as_xml(key) for name, key in keys.items()}
    return keys


def align_names(described: dict[str, Key], recorded: dict[str, Key]) -> tuple[dict[str, Key], dict[str, Key]]:
    """Return both, with recorded keys under the catalogue's names, such as those with "{name}" for any name.

    Such names are left out where nothing is recorded under them, and so is an empty answer of an endpoint
    whose keys are not described.
    """
    if not described and not recorded[""].kinds:
        return {}, {}
    found = _find_described(recorded, described)
    aligned: dict[str, Key] = {}
    for name, key in recorded.items():
        aligned.setdefault(found.get(name, name), Key(unit=key.unit)).merge(key)
    return {name: key for name, key in described.items() if name in aligned or "{" not in name}, aligned


def _find_described(names: Iterable[str], described: Iterable[str]) -> dict[str, str]:
    """Return the catalogue's name of each of these keys that it describes."""
    known = {*described}
    patterns = {
        name: re.compile(re.escape(name).replace(re.escape(ANY_NAME), r"[^.\[\]]+"))
        for name in known
        if ANY_NAME in name
    }
    found = {}
    for name in names:
        if name in known:
            found[name] = name
        elif match := next((each for each, pattern in patterns.items() if pattern.fullmatch(name)), None):
            found[name] = match
    return found


def ancestors(name: str) -> Iterator[str]:
    """Yield the names of the keys that a key is in, the whole answer last."""
    for path in _paths_around(name):
        yield _strip_lists(path)
    if name:
        yield ""


def count_inside(names: Iterable[str]) -> Counter[str]:
    """Return how many of these keys each one contains."""
    return Counter(outer for name in names for outer in {*ancestors(name)})


def changed_magnitude(old: list[float], new: list[float], unit: str | None) -> float | None:
    """Return the power of 1000 by which values grew if that suggests another unit, else None.

    Medians of the absolute values other than 0 are compared. Voltage, frequency, temperature, percentages
    and times vary little: a ratio of about 1000 is enough. Power follows the sun, and energy the age of a
    gateway: there, the last digit must have moved, too (523 W, 0.523 kW), or the ratio be almost 1000.
    """
    if not old or not new or unit == "":
        return None
    digits = math.log10(median(new) / median(old))
    power = round(digits / 3)
    distance = abs(digits - 3 * power)
    if not 1 <= abs(power) <= _MAX_POWER or distance > _TOLERANCE:
        return None
    base = re.sub(r"^[mk](?=[A-Z])", "", unit or "")
    has_moved = round((_last_digit(new) - _last_digit(old)) / 3) == power
    is_exact = base in _FLOW and distance <= _STRICT_TOLERANCE
    return 1000.0**power if base in _STEADY or has_moved or is_exact else None


def _last_digit(numbers: Iterable[float]) -> int:
    """Return the power of ten of the finest digit of any of these numbers."""
    exponents = (Decimal(f"{each:.12g}").normalize().as_tuple().exponent for each in numbers)
    return min(each for each in exponents if isinstance(each, int))


def _flatten(objects: Mapping[str, Mapping[str, Key]]) -> dict[str, Key]:
    return {join_path(path, name): key for path, keys in objects.items() for name, key in keys.items()}


def _paths_around(path: str) -> Iterator[str]:
    """Yield the paths of the objects that contain a path, innermost first."""
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _strip_lists(path: str) -> str:
    while path.endswith("[]"):
        path = path.removesuffix("[]")
    return path


def _comparable(kinds: Iterable[str]) -> set[str]:
    # JSON has one type for numbers: a gateway writes 5.0 as 5, too.
    return {each.replace("integer", "number") for each in kinds}


def _kind(value: Any) -> str:
    """Return the type of a value; of a list with that of its elements, if they are alike."""
    if isinstance(value, list):
        kinds = _comparable(_kind(each) for each in value if not _is_empty(each))
        if len(kinds) != 1:
            return "list"
        kind, separator, elements = kinds.pop().partition(" of ")
        return f"list of {kind}s{separator}{elements}"
    return next(name for type_, name in _KINDS if isinstance(value, type_))


def _is_empty(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_empty(each) for each in value)
    return value is None or value in ("", {})


def _parse_number(value: Any) -> float | None:
    """Return the number in a value, or in a text that is one; None for 0 and all else."""
    if isinstance(value, str):
        is_number = not isinstance(value, Placeholder) and _NUMBER.fullmatch(value)
        value = float(value) if is_number else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value or None


def _list_elements(element: Any) -> Any:
    """Return an XML element with each child as a list, so that one and several are alike."""
    if isinstance(element, dict):
        return {
            name: [_list_elements(each) for each in (content if isinstance(content, list) else [content])]
            for name, content in element.items()
        }
    return element


def _as_xml(key: Key) -> Key:
    key.kinds = {"element" if "object" in each else "text" for each in key.kinds}
    key.empty_kinds = {"element" for _ in key.empty_kinds}
    return key
