"""Units: powers, energies and times for display."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from enphase_companion import units


@pytest.mark.parametrize(
    ("watts", "written"),
    [
        (0, "0 W"), (-0.4, "0 W"), (0.5, "0 W"), (214.6, "215 W"), (999.4, "999 W"), (999.6, "1.00 kW"),
        (-751.3, "-751 W"), (3416, "3.42 kW"), (-12345, "-12.35 kW"), (None, "unknown"),
    ],
)  # fmt: skip
def test_power_is_written_in_watts_or_kilowatts(watts: float | None, written: str) -> None:
    assert units.format_power(watts) == written


@pytest.mark.parametrize(
    ("watt_hours", "written"),
    [
        (0, "0 Wh"), (512.2, "512 Wh"), (12345, "12.3 kWh"), (999_940, "999.9 kWh"), (999_960, "1.00 MWh"),
        (45_214_000, "45.21 MWh"), (None, "unknown"),
    ],
)  # fmt: skip
def test_energy_is_written_in_watt_hours_to_megawatt_hours(watt_hours: float | None, written: str) -> None:
    assert units.format_energy(watt_hours) == written


def test_a_quantity_has_its_digits_and_its_unit() -> None:
    assert units.format_quantity(231.15, "V") == "231.2 V"
    assert units.format_quantity(-0.001, "A", 2) == "0.00 A"
    assert units.format_quantity(0.987, "", 2) == "0.99"
    assert units.format_quantity(None, "V") == "unknown"


def test_a_time_is_local_and_has_a_date_unless_it_is_today(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Europe/Zurich")
    time.tzset()
    try:
        evening, night = datetime(2026, 7, 1, 21, 58, tzinfo=UTC), datetime(2026, 7, 1, 22, 3, tzinfo=UTC)
        assert units.format_local_time(evening, evening) == "23:58"
        assert units.format_local_time(evening, night) == "2026-07-01 23:58"
        assert units.format_local_time(evening) == "2026-07-01 23:58"
        assert units.format_local_time(None, night) == "never"
    finally:
        monkeypatch.undo()
        time.tzset()
