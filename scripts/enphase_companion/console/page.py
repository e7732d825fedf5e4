"""Format an overview as a page: with colours and bars in a terminal, else as plain aligned text."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.text import Text

from enphase_api.models import MeasurementType

from ..units import UNKNOWN, format_energy, format_local_time, format_power, format_quantity
from . import devices, tables
from .overview import Overview

_PLAIN_WIDTH = 120


def render_text(overview: Overview) -> str:
    """Return the page without colours, bars and trailing spaces."""
    console = Console(
        file=io.StringIO(), width=_PLAIN_WIDTH, color_system=None, force_terminal=False, highlight=False
    )
    with console.capture() as captured:
        console.print(render_page(overview, bars=False))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def render_line(overview: Overview) -> str:
    """Return the current powers as one line."""
    site = overview.site
    grid = " ".join(_flow(site.grid_power, "import", "export")).rstrip()
    battery = " ".join(_flow(site.battery_power, "discharging", "charging")).rstrip()
    flows = [
        f"{overview.at.astimezone():%Y-%m-%d %H:%M:%S}",
        f"production {format_power(site.production_power)}",
        *(
            [f"consumption {format_power(site.home_power)}", f"grid {grid}"]
            if overview.has_consumption
            else []
        ),
        *([f"battery {battery}"] if overview.has_batteries else []),
    ]
    return ", ".join(flows)


def render_page(overview: Overview, *, bars: bool, problem: str | None = None) -> RenderableType:
    """Return the whole page. `problem` is the reason why its values are old."""
    return Group(*_parts(overview, bars=bars, problem=problem))


def _parts(overview: Overview, *, bars: bool, problem: str | None) -> Iterator[RenderableType]:
    info = overview.info
    title = f"IQ Gateway {info.serial_number}"
    yield Text.assemble(
        (title, "bold"), f", firmware {info.firmware}, {overview.at.astimezone():%Y-%m-%d %H:%M:%S}"
    )
    if problem is not None:
        yield Text(f"These values are old: {problem}", style="bold reverse")
    yield ""
    yield _summary(overview)
    yield from _tariff(overview)
    yield from (Text(note, style="italic") for note in _notes(overview))
    if overview.readings.readings:
        yield from ("", _meter_title(overview), tables.build_meter_table(overview))
    if overview.batteries is not None and overview.batteries.are_there:
        yield from ("", _battery_title(overview))
    if overview.batteries is not None and overview.batteries.units:
        # AC Batteries are known in sum only.
        if overview.storage is not None:
            yield Text(f"  {devices.describe_storage(overview.storage)}")
        yield tables.build_battery_table(overview, overview.batteries.units)
    if devices.has_devices(overview):
        yield from ("", Text("Devices", style="bold"), devices.build_device_table(overview))
    if overview.contacts:
        yield from ("", Text("Dry contacts", style="bold"), devices.build_contact_table(overview.contacts))
    if overview.inverters:
        yield from (
            "",
            _inverter_title(overview),
            tables.build_inverter_table(overview, overview.inverters, bars=bars),
        )


def _summary(overview: Overview) -> tables.Columns:
    site = overview.site
    table = tables.Columns("<><<", leave_out=(3,))
    table.add_row(*tables.heading("", "Now", "", "Lifetime"))
    today = overview.produced_today
    unknown = "unknown" if overview.production is None else "unknown (firmware)"
    table.add_row(
        tables.label(MeasurementType.PRODUCTION),
        *_flow(site.production_power, "", "consumed by the array"),
        f"{format_energy(site.produced_energy)} (today {unknown if today is None else format_energy(today)})",
    )
    nothing = ("-", "not metered", "")
    consumption: tuple[str, ...] = nothing
    grid: tuple[str, ...] = nothing
    if overview.has_consumption:
        consumption = (format_power(site.home_power), "", format_energy(site.consumed_energy))
        grid = (
            *_flow(site.grid_power, "import", "export"),
            _both(site.imported_energy, "imported", site.exported_energy, "exported"),
        )
    table.add_row(tables.label(MeasurementType.TOTAL_CONSUMPTION), *consumption)
    table.add_row(tables.label(MeasurementType.NET_CONSUMPTION), *grid)
    if overview.has_batteries:
        table.add_row(
            tables.label(MeasurementType.STORAGE),
            *_flow(site.battery_power, "discharging", "charging"),
            _both(site.discharged_energy, "discharged", site.charged_energy, "charged"),
        )
    return table


def _tariff(overview: Overview) -> Iterator[Text]:
    """Yield the present prices, if one is known, and what they become at the next change until midnight."""
    if overview.tariff is None:
        return
    now = overview.local_time
    change = overview.tariff.next_change(now).astimezone(now.tzinfo)
    prices = []
    for name, find in (("import", overview.tariff.import_price), ("export", overview.tariff.export_price)):
        price, next_price = find(now), find(change)
        if price is not None:
            is_same = next_price is None or next_price == price
            then = "" if is_same else f" ({_format_price(next_price)} from {change:%H:%M})"
            prices.append(f"{name} {_format_price(price)} {overview.tariff.currency}/kWh{then}")
    if prices:
        yield Text.assemble(("Tariff now", "bold"), f": {', '.join(prices)}")


def _flow(watts: float | None, positive: str, negative: str) -> tuple[str, str]:
    """Return a power without its sign, and its direction as text; empty for a displayed 0."""
    if watts is None or abs(watts) < 0.5:
        return format_power(watts), ""
    return format_power(abs(watts)), positive if watts > 0 else negative


def _format_price(price: float | None) -> str:
    return UNKNOWN if price is None else f"{price:.5f}".rstrip("0").rstrip(".")


def _both(one: float | None, one_word: str, other: float | None, other_word: str) -> str:
    if one is None and other is None:
        return "not metered"
    return f"{format_energy(one)} {one_word}, {format_energy(other)} {other_word}"


def _notes(overview: Overview) -> Iterator[str]:
    """Yield notes about missing or limited values."""
    if not overview.meters:
        yield "This gateway has no meters: the values are those of its microinverters."
    elif not overview.has_enabled_meters:
        yield "All meters of this gateway are disabled: the values are its microinverters'."
    disabled = [str(tables.label(meter.measurement_type)) for meter in overview.meters if not meter.enabled]
    if disabled and overview.has_enabled_meters:
        yield f"Disabled meters: {', '.join(disabled)}."
    for meter in overview.meters:
        reported = [
            *meter.status_flags,
            *([meter.metering_status] if meter.metering_status not in (None, "normal") else []),
        ]
        if meter.enabled and reported:
            yield f"{tables.label(meter.measurement_type)} meter: the gateway reports {', '.join(reported)}."
    if overview.has_batteries and not overview.is_metered(MeasurementType.STORAGE):
        yield "The batteries have no meter: their lifetime energies and the home's are unknown."
    for problem in overview.problems:
        yield f"Incomplete: {problem}."


def _meter_title(overview: Overview) -> Text:
    return Text.assemble(("Meters", "bold"), f": {tables.wiring(overview.meters)}")


def _battery_title(overview: Overview) -> Text:
    known = overview.batteries
    if known is None:
        return Text()
    facts = [
        f"{format_quantity(known.state_of_charge, '%', 0)} charged",
        f"{format_energy(known.available_energy)} of {format_energy(known.capacity)}",
        f"reserve {format_quantity(known.reserve, '%', 0)}",
    ]
    if known.grid_connected is not None:
        facts.append("on grid" if known.grid_connected else "off grid")
    return Text.assemble(("Batteries", "bold"), f": {', '.join(facts)}")


def _inverter_title(overview: Overview) -> Text:
    units = overview.inverters or ()
    reporting = sum(overview.is_reporting(unit) for unit in units)
    count = f"{reporting} of {len(units)} reporting"
    if not reporting:
        last = overview.last_reported_at
        count = f"none of {len(units)} has reported" + (
            f" since {format_local_time(last, overview.at)}" if last else ""
        )
    return Text.assemble(
        ("Microinverters", "bold"), f": {count}, together {format_power(overview.reported_power)}"
    )
