"""The tables of the page: each meter and wired phase, each battery, each microinverter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from enphase_api.models import Battery, Inverter, InverterDetails, MeasurementType, Meter, Quantities, Reading

from ..units import format_energy, format_local_time, format_power, format_quantity
from .overview import Overview

#: Label of a measurement type; labels of its energy in the positive and the negative direction; a colour of
#: the Okabe-Ito palette, which colour-blind people can distinguish (its meaning is always written out too).
_MEANINGS: dict[str, tuple[str, str, str, str]] = {
    MeasurementType.PRODUCTION: ("Production", "Produced", "Drawn", "#E69F00"),
    MeasurementType.TOTAL_CONSUMPTION: ("Consumption", "Consumed", "Returned", "#56B4E9"),
    MeasurementType.NET_CONSUMPTION: ("Grid (net)", "Imported", "Exported", "#009E73"),
    MeasurementType.STORAGE: ("Battery", "Discharged", "Charged", "#CC79A7"),
}

#: Label of a phase mode, or of a number of phases for a meter without a mode.
_WIRINGS: dict[str | int, str] = {
    "split": "split phase",
    "three": "three phases",
    "single": "one phase",
    1: "one phase",
    2: "split phase",
    3: "three phases",
}

_BAR_WIDTH = 12

#: Columns of a terminal; more than any table needs.
_WIDER_THAN_ANY = 1_000


class Columns:
    """A table without lines. A narrow terminal gets fewer columns, never a truncated number."""

    def __init__(self, justify: str, leave_out: Sequence[int]) -> None:
        """`justify`: each character is a column, "<" or ">"; `leave_out`: columns to drop, in this order."""
        self._justify = justify
        self._leave_out = leave_out
        self._rows: list[tuple[tuple[RenderableType, ...], str | None]] = []

    def add_row(self, *cells: RenderableType, style: str | None = None) -> None:
        """Add a row with a cell for each column."""
        self._rows.append((cells, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = [*range(len(self._justify))]
        wide = options.update(width=_WIDER_THAN_ANY)
        for gone in (None, *self._leave_out):
            columns = [column for column in columns if column != gone]
            table = self._table(columns, no_wrap=True)
            if console.measure(table, options=wide).maximum <= options.max_width:
                yield table
                return
        yield self._table(columns, no_wrap=False)

    def _table(self, columns: Sequence[int], *, no_wrap: bool) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for column in columns:
            side = self._justify[column]
            table.add_column(
                justify="right" if side == ">" else "left",
                no_wrap=no_wrap,
                overflow="ellipsis" if no_wrap else "fold",
            )
        for cells, style in self._rows:
            table.add_row(*(cells[column] for column in columns), style=style)
        return table


def heading(*cells: Text | str) -> list[Text]:
    """Return the row of column headings."""
    return [cell if isinstance(cell, Text) else Text(cell, style="dim") for cell in cells]


def label(measurement_type: str) -> Text:
    """Return the label of a measurement type; an unknown type keeps the firmware's word."""
    name, _, _, colour = _MEANINGS.get(measurement_type, (measurement_type, "", "", ""))
    return Text(name, style=f"bold {colour}".strip())


def wiring(meters: Iterable[Meter]) -> str:
    """Return the wiring of the enabled meters, such as three phases."""
    modes = {meter.phase_mode: meter.phase_count for meter in meters if meter.enabled}
    return ", ".join(_WIRINGS.get(mode or "", _WIRINGS[count]) for mode, count in modes.items())


def build_meter_table(overview: Overview) -> Columns:
    """Return the table of enabled meters: each as a whole and, with more than one, its wired phases."""
    table = Columns("<>>>>>>>", leave_out=(5, 4, 3, 2, 7, 6))
    for reading in overview.readings:
        kind = reading.meter.measurement_type
        _, delivered, received, _ = _MEANINGS.get(kind, ("", "Delivered", "Received", ""))
        table.add_row(
            *heading(label(kind), "Power", "Voltage", "Current", "Factor", "Frequency", delivered, received)
        )
        for name, quantities in _rows(reading):
            table.add_row(f"  {name}", *_cells(quantities))
    return table


def _rows(reading: Reading) -> Iterable[tuple[str, Quantities]]:
    wired = [
        (f"L{number}", phase) for number, phase in enumerate(reading.phases, start=1) if phase is not None
    ]
    return wired if len(reading.phases) == 1 else [("all", reading.total), *wired]


def _cells(quantities: Quantities) -> list[str]:
    return [
        format_power(quantities.active_power),
        format_quantity(quantities.voltage, "V"),
        format_quantity(quantities.current, "A", 2),
        format_quantity(quantities.power_factor, "", 2),
        format_quantity(quantities.frequency, "Hz", 2),
        format_energy(quantities.energy_delivered),
        format_energy(quantities.energy_received),
    ]


def build_battery_table(overview: Overview, units: Iterable[Battery]) -> Columns:
    """Return the table of batteries."""
    table = Columns("<>>>><", leave_out=(3, 4, 5, 2))
    table.add_row(*heading("  Serial number", "Charge", "Power", "Capacity", "Temperature", "Last report"))
    for unit in units:
        silent = "" if unit.communicating is not False else ", not communicating"
        table.add_row(
            f"  {unit.serial_number}",
            format_quantity(unit.state_of_charge, "%", 0),
            format_power(unit.power),
            format_energy(unit.capacity),
            format_quantity(unit.temperature, "°C", 0),
            format_local_time(unit.last_reported_at, overview.at) + silent,
        )
    return table


def build_inverter_table(overview: Overview, units: Sequence[Inverter], *, bars: bool) -> Columns:
    """Return the table of microinverters, with the last power of those that report."""
    reporting = [unit for unit in units if overview.is_reporting(unit)]
    bars = bars and bool(reporting)
    # With details, as firmware 8 has them.
    detailed = any(isinstance(unit, InverterDetails) for unit in units)
    columns, names = ("<><>", ["Power", "", "Maximum"]) if bars else ("<>>", ["Power", "Maximum"])
    if detailed:
        columns, names = f"{columns}>>", [*names, "Lifetime", "Temperature"]
    last = len(columns)
    leave_out = (*([last - 1, last - 2] if detailed else []), *((2, 3) if bars else (2,)), last)
    table = Columns(f"{columns}<", leave_out)
    table.add_row(*heading("  Serial number", *names, "Last report"))
    for unit in units:
        new = unit in reporting
        table.add_row(
            f"  {unit.serial_number}",
            format_power(unit.power) if new else "-",
            *([_bar(unit)] if bars else []),
            format_power(unit.max_power),
            *(_details(unit) if detailed else []),
            format_local_time(unit.last_reported_at, overview.at) if new else _silence(unit, overview),
            style=None if new else "dim",
        )
    return table


def _details(unit: Inverter) -> list[str]:
    if not isinstance(unit, InverterDetails):
        return ["-", "-"]
    silent = unit.temperature is None
    return [
        format_energy(unit.lifetime_energy),
        "-" if silent else format_quantity(unit.temperature, "°C", 0),
    ]


def _bar(unit: Inverter) -> ProgressBar:
    """Draw an inverter's power as a share of its maximum; empty if one is unknown."""
    watts = 0.0 if unit.power is None or unit.max_power is None else max(0.0, unit.power)
    _, _, _, colour = _MEANINGS[MeasurementType.PRODUCTION]
    return ProgressBar(unit.max_power or 1, watts, _BAR_WIDTH, complete_style=colour, finished_style=colour)


def _silence(unit: Inverter, overview: Overview) -> str:
    if unit.last_reported_at is None:
        return "never reported"
    # For another day, the date is enough: with the time, the line would be too long for many terminals.
    return f"not reported since {format_local_time(unit.last_reported_at, overview.at).split()[0]}"
