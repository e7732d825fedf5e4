"""Quirks: the documented list equals that of the code, and workarounds that are functions."""

from __future__ import annotations

from pathlib import Path

import pytest

from enphase_api.models import Quantities
from enphase_api.quirks import KNOWN, believable_today, grid_power, is_copied

PAGE = Path(__file__).parents[2] / "docs" / "quirks.md"


def test_the_documentation_lists_exactly_the_quirks_of_the_code() -> None:
    rows = [
        tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    assert rows[0] == ("Bug", "Firmware", "Source", "Workaround")
    assert rows[2:] == [(quirk.name, quirk.firmware, quirk.source, quirk.workaround) for quirk in KNOWN]


def test_every_quirk_is_listed_once_and_completely() -> None:
    assert len({quirk.name for quirk in KNOWN}) == len(KNOWN)
    for quirk in KNOWN:
        assert all((quirk.name, quirk.firmware, quirk.source, quirk.workaround))
        assert quirk.workaround.endswith(".")
        # A cell of a table cannot contain the separator of cells.
        assert "|" not in f"{quirk.name}{quirk.firmware}{quirk.source}{quirk.workaround}"


@pytest.mark.parametrize(
    ("today", "lifetime", "rated", "believed"),
    [
        (5113.2, 4351113.2, 2500, 5113.2),
        (0, 4351113.2, 2500, 0),
        # 8.3.5433: today's energy equals the lifetime's.
        (14405465.109, 14405465.109, 3500, None),
        # 8.2.127's "last seven days": more than a day at full sun.
        (3164458.272, 3165834.272, 12000, None),
        (-1, 100, 2500, None),
        # No inverter reports its maximum power: only the lifetime limits today's energy.
        (36462, 6139406, None, 36462),
        (14405465.109, 14405465.109, None, None),
        (None, 100, 2500, None),
        (5, None, 2500, None),
    ],
)
def test_an_implausible_energy_of_today_is_unknown(
    today: float | None, lifetime: float | None, rated: float | None, believed: float | None
) -> None:
    assert believable_today(today, lifetime, rated) == believed


@pytest.mark.parametrize(
    ("power", "grid_connected", "expected"),
    [
        (1000.0, True, 1000.0),
        (1000.0, None, 1000.0),
        (1000.0, False, None),
        (-1000.0, False, None),
        (-20.0, False, -20.0),
        (None, False, None),
    ],
)
def test_off_grid_the_grid_meter_measures_a_generator(
    power: float | None, grid_connected: bool | None, expected: float | None
) -> None:
    assert grid_power(power, grid_connected=grid_connected) == expected


@pytest.mark.parametrize("phase", [Quantities(voltage=120.0, current=0.0), Quantities(current=10.0)])
def test_equal_phases_without_voltage_or_current_are_not_copied(phase: Quantities) -> None:
    assert not is_copied(phase, [phase])
