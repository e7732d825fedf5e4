"""The comparison of Home Assistant's states with the true values, and its table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from .entities import NOTHING
from .truth import Expected, Moments, Right

#: Allowed deviation, as a share of the true value …
TOLERANCE = 0.01
#: … or half of the gateway's resolution (with a margin for binary fractions).
_HALF_STEP = 0.5001

#: Factors from the displayed unit to the unit of the true value.
_SCALES: dict[str, dict[str | None, float]] = {
    "": {None: 1},
    "W": {"W": 1, "kW": 1e3},
    "Wh": {"Wh": 1, "kWh": 1e3, "MWh": 1e6},
    "var": {"var": 1, "kvar": 1e3},
    "VA": {"VA": 1, "kVA": 1e3},
    "V": {"V": 1},
    "A": {"A": 1},
    "Hz": {"Hz": 1},
    "%": {"%": 1},
    "°C": {"°C": 1},
    "EUR/kWh": {"EUR/kWh": 1},
    "USD/kWh": {"USD/kWh": 1},
}


@dataclass(frozen=True)
class Row:
    """One entity in the comparison."""

    name: str
    shown: str
    truth: str
    #: Reason for a deviation; empty without one.
    off: str = ""


def compare(
    expected: Iterable[Expected],
    entities: Mapping[str, str],
    states: Mapping[str, Mapping[str, Any]],
    moments: Moments,
    zone: tzinfo,
) -> list[Row]:
    """Return a row for each expected or existing entity; `entities` holds entity ids by unique id."""
    rows = []
    unknown = dict(entities)
    for each in expected:
        entity_id = unknown.pop(each.unique_id, None)
        state = None if entity_id is None else states.get(entity_id)
        if state is None:
            rows.append(Row(entity_id or each.unique_id, "-", "-", "missing"))
        elif state["state"] in NOTHING and not each.silent:
            rows.append(Row(_name(state), state["state"], "-", "shows nothing"))
        else:
            rows.append(_compare(each, state, each.right(moments), zone))
    rows += [Row(entity_id, "-", "-", "not expected") for entity_id in unknown.values()]
    return rows


def _compare(expected: Expected, state: Mapping[str, Any], right: Right, zone: tzinfo) -> Row:
    name, shown = _name(state), str(state["state"])
    if isinstance(right, str):
        return Row(name, shown, right, "" if shown == right else "differs")
    if expected.unit == "time":
        return _compare_time(name, shown, right, zone)
    unit = state["attributes"].get("unit_of_measurement")
    scale = _SCALES[expected.unit].get(unit)
    if scale is None:
        return Row(name, f"{shown} {unit}", f"in {expected.unit}", f"has the unit {unit}")
    least, greatest = right[0] / scale, right[1] / scale
    number = float(shown)
    nearest = min(max(number, least), greatest)
    allowed = max(TOLERANCE * abs(nearest), _HALF_STEP * expected.step / scale)
    distance = abs(number - nearest)
    share = f"{distance / abs(nearest):.1%}" if nearest else f"{distance:g}"
    return Row(
        name,
        _text(number, unit),
        _text(nearest, unit),
        "" if distance <= allowed else f"off by {share}",
    )


def _compare_time(name: str, shown: str, right: tuple[float, float], zone: tzinfo) -> Row:
    moment = datetime.fromisoformat(shown)
    ends = [datetime.fromtimestamp(int(end), zone) for end in right]
    begin, end = (f"{each:%Y-%m-%d %H:%M:%S}" for each in ends)
    truth = begin if begin == end else f"{begin} … {ends[1]:%H:%M:%S}"
    fits = int(right[0]) <= moment.timestamp() <= right[1]
    return Row(name, f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}", truth, "" if fits else "differs")


def _text(number: float, unit: str | None) -> str:
    return f"{number:,.3f} {unit or ''}".rstrip()


def _name(state: Mapping[str, Any]) -> str:
    return str(state["attributes"].get("friendly_name", state["entity_id"]))


def format_table(rows: Iterable[Row]) -> str:
    """Return the rows as a text table with deviations marked."""
    marks = ((row.name, row.shown, row.truth, f"<-- {row.off}" if row.off else "") for row in rows)
    return format_columns([("sensor", "Home Assistant", "truth", ""), *marks])


def format_columns(lines: Sequence[tuple[str, ...]]) -> str:
    """Return lines as a text table: the first is the heading, the last column a mark without heading."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)][:-1]
    rule = (*("-" * width for width in widths), "")
    return "\n".join(
        " | ".join(
            (
                f"{name:<{widths[0]}}",
                *(f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True)),
            )
        ).rstrip()
        + (f" {mark}" if mark else "")
        for name, *cells, mark in (lines[0], rule, *lines[1:])
    )
