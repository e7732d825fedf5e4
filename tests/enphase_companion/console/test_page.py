"""The console page: plain text with the values of the house and explanations of missing ones."""

from __future__ import annotations

import io
import re
from argparse import Namespace
from collections.abc import Callable
from datetime import date, datetime, time

import pytest
from rich.console import Console

from enphase_companion.commands.gateway_console import main
from enphase_companion.config.loader import load_settings
from enphase_companion.console.overview import Overview
from enphase_companion.console.page import _format_price, render_page
from enphase_companion.gateway.connection import open_gateway
from enphase_companion.simulator.truth import Truth
from enphase_companion.units import format_power
from tests.houses import JUNE

from ..cli_user import CliUser

UNITS = {"W": 1, "kW": 1e3, "Wh": 1, "kWh": 1e3, "MWh": 1e6, "V": 1, "A": 1, "Hz": 1}


def print_page(user: CliUser) -> str:
    result = user.run(main)
    assert result.status == 0, result.err
    return result.out


#: Noon in local time: the page adds the date to reports of other days.
NOON = datetime.combine(JUNE, time(12)).timestamp()


def find_row(page: str, start: str, number: int = 0) -> str:
    """Return the line that starts with a text; `number` selects one of several."""
    return [line for line in page.splitlines() if re.match(rf"\s*{re.escape(start)}(\s|$)", line)][number]


def parse_quantities(line: str) -> list[float]:
    """Return every number with a unit in a line, in base units."""
    found = re.findall(r"(-?[\d.]+) (W|kW|Wh|kWh|MWh|V|A|Hz)\b", line)
    return [float(number) * UNITS[unit] for number, unit in found]


def get_truth(user: CliUser, page: str) -> Truth:
    """Return the true values of the house at the time of the page."""
    second = int(user.simulator.clock.time())
    assert f"{datetime.fromtimestamp(second).astimezone():%Y-%m-%d %H:%M:%S}" in page
    return user.simulator.house.truth(second)


def test_the_page_shows_the_values_of_the_house(create_still_user: Callable[..., CliUser]) -> None:
    user = create_still_user("three-phase", hour_of_day=12, start=NOON)
    page = print_page(user)
    truth = get_truth(user, page)
    production, net, home = truth.production, truth.net_consumption, truth.total_consumption
    power, lifetime, today = parse_quantities(find_row(page, "Production"))
    assert power == pytest.approx(production.total.active_power, rel=0.006)
    assert lifetime == pytest.approx(production.total.energy_delivered, abs=5001)
    assert 100 < today < 100_000
    power, lifetime = parse_quantities(find_row(page, "Consumption"))
    assert power == pytest.approx(home.total.active_power, rel=0.006, abs=0.6)
    assert lifetime == pytest.approx(home.total.energy_delivered, abs=5001)
    power, imported, exported = parse_quantities(find_row(page, "Grid (net)"))
    assert power == pytest.approx(abs(net.total.active_power), rel=0.006, abs=0.6)
    assert ("export" in find_row(page, "Grid (net)").split()) == (net.total.active_power < 0)
    assert imported == pytest.approx(net.total.energy_delivered, abs=5001)
    assert exported == pytest.approx(net.total.energy_received, abs=5001)
    for number in range(3):
        phase = production.phases[number]
        values = parse_quantities(find_row(page, f"L{number + 1}"))
        assert values[0] == pytest.approx(phase.active_power, rel=0.006, abs=0.6)
        assert values[1:4] == pytest.approx([phase.voltage, phase.current, phase.frequency], abs=0.06)
        assert parse_quantities(find_row(page, f"L{number + 1}", 1))[0] == pytest.approx(
            net.phases[number].active_power, rel=0.006, abs=0.6
        )
    for serial_number in truth.inverters:
        columns = r" +\d+ W +\d+ W +[\d.]+ MWh +\d+ °C  \d\d:\d\d"
        assert re.fullmatch(rf"\s+{serial_number}{columns}", find_row(page, serial_number))


@pytest.mark.parametrize(("hour", "direction"), [(12, "export"), (22, "import")])
def test_the_direction_of_the_grid_is_written_out(
    create_still_user: Callable[..., CliUser], hour: float, direction: str
) -> None:
    page = print_page(create_still_user("single-phase", hour_of_day=hour))
    assert re.match(rf"Grid \(net\) +[\d.]+ k?W  {direction} ", find_row(page, "Grid (net)"))


@pytest.mark.parametrize(("hour", "direction"), [(10, "charging"), (21, "discharging")])
def test_the_direction_of_the_battery_is_written_out(
    create_still_user: Callable[..., CliUser], hour: float, direction: str
) -> None:
    user = create_still_user("battery", hour_of_day=hour, start=NOON)
    page = print_page(user)
    assert re.match(rf"Battery +[\d.]+ k?W  {direction} ", find_row(page, "Battery"))
    assert re.match(
        r"Batteries: \d+ % charged, [\d.]+ kWh of 15.0 kWh, reserve 20 %, on grid$",
        find_row(page, "Batteries:"),
    )
    units = re.findall(r"^  4924\d{8} +\d+ % +-?[\d.]+ k?W +5.0 kWh +\d+ °C  \d\d:\d\d$", page, re.MULTILINE)
    assert len(units) == 3


def test_the_present_prices_are_shown(create_still_user: Callable[..., CliUser]) -> None:
    page = print_page(create_still_user("three-phase"))
    assert "\nTariff now: import 0.25 EUR/kWh, export 0.08 EUR/kWh\n" in page


def test_a_tiny_price_has_no_exponent() -> None:
    assert [_format_price(price) for price in (9.9e-05, 0.30, 0.0, -0.05, 12.0)] == [
        "0.0001",
        "0.3",
        "0",
        "-0.05",
        "12",
    ]


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (time(14, 30), "import 0.32 USD/kWh (0.52 from 15:00), export 0.05 USD/kWh"),
        (time(15, 59), "import 0.52 USD/kWh (0.63 from 16:00), export 0.05 USD/kWh (0.2 from 16:00)"),
        (time(22, 0), "import 0.52 USD/kWh (0.32 from 00:00), export 0.05 USD/kWh"),
    ],
)
def test_the_next_prices_are_shown_with_their_time(
    create_still_user: Callable[..., CliUser], at: time, shown: str
) -> None:
    wednesday = date(2026, 6, 17)
    start = datetime.combine(wednesday, at).timestamp()
    page = print_page(create_still_user("cloud-controlled", start=start))
    assert f"\nTariff now: {shown}\n" in page


def test_the_devices_around_the_batteries_have_their_own_tables(
    create_still_user: Callable[..., CliUser],
) -> None:
    page = print_page(create_still_user("battery", start=NOON))
    line = "  mode self-consumption, shutdown at 5 %, grid charging not allowed"
    assert line in page.splitlines()
    row = find_row(page, "System Controller")
    assert re.fullmatch(r"  System Controller  4825\d{8}   closed +\d+ °C  \d\d:\d\d", row)
    assert [find_row(page, contact).split()[0] for contact in ("NC1", "NO2")] == ["NC1", "NO2"]
    assert find_row(page, "NC1").endswith("by hand")
    assert "IQ Meter Collar  4825" in print_page(create_still_user("meter-collar", seed=2))
    assert "Devices" not in print_page(create_still_user("three-phase", seed=3))
    page = print_page(create_still_user("generator", seed=4))
    assert re.fullmatch(r"  Generator +- +off, not connected +- +-", find_row(page, "Generator"))
    row = "NC1 air conditioner closed by hand, shed off grid, with generator"
    assert find_row(page, "NC1").split() == row.split()
    page = print_page(create_still_user("cloud-controlled", seed=5))
    assert "  mode unknown (only Enphase has it), shutdown at 5 %, grid charging not allowed\n" in page


def test_plain_text_has_no_colours_and_no_trailing_spaces(create_still_user: Callable[..., CliUser]) -> None:
    page = print_page(create_still_user("battery"))
    assert "\x1b" not in page
    assert all(line == line.rstrip() for line in page.splitlines())
    assert max(map(len, page.splitlines())) <= 80


QUANTITY = re.compile(r"-?[\d.]+ (?:[kM]?Wh?|V|A|Hz|%|°C)(?![A-Za-z])")


def draw_page(overview: Overview, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(render_page(overview, bars=True))
    return captured.get()


@pytest.mark.parametrize("profile", ["battery", "three-phase", "many-meters", "sixty-inverters"])
@pytest.mark.slow
async def test_a_narrow_terminal_has_fewer_columns_with_complete_numbers(
    create_still_user: Callable[..., CliUser], profile: str
) -> None:
    user = create_still_user(profile, hour_of_day=12)
    names = ("gateway_host", "gateway_token")
    options = Namespace(configuration=str(user.folder), gateway_host=user.simulator.url)
    async with open_gateway(load_settings(names, options)) as (gateway, info):
        overview = await Overview.read(gateway, info)
    whole = draw_page(overview, 200)
    known = {*QUANTITY.findall(whole)}
    columns = []
    for width in (78, 70, 60, 50, 40, 34):
        narrow = draw_page(overview, width)
        assert max(map(len, narrow.splitlines())) <= width
        assert "…" not in narrow
        assert {*QUANTITY.findall(narrow)} <= known
        for each in overview.readings:
            assert format_power(each.total.active_power) in narrow
        for inverter in overview.inverters or ():
            assert inverter.serial_number in narrow
        columns.append(
            sum(word in narrow for word in ("Frequency", "Factor", "Current", "Voltage", "Maximum"))
        )
    assert columns == sorted(columns, reverse=True)
    assert columns[0] > columns[-1]


@pytest.mark.parametrize(
    ("profile", "wiring"),
    [("split-phase", "split phase"), ("three-phase", "three phases"), ("single-phase", "one phase")],
)
def test_the_wiring_has_its_usual_name(
    create_still_user: Callable[..., CliUser], profile: str, wiring: str
) -> None:
    assert f"\nMeters: {wiring}\n" in print_page(create_still_user(profile, hour_of_day=12))


@pytest.mark.parametrize("profile", ["no-meters", "no-meters-404"])
def test_the_page_names_missing_meters(create_still_user: Callable[..., CliUser], profile: str) -> None:
    page = print_page(create_still_user(profile, hour_of_day=12))
    assert "This gateway has no meters: the values are those of its microinverters." in page
    assert find_row(page, "Consumption").split() == ["Consumption", "-", "not", "metered"]
    assert find_row(page, "Grid").endswith("not metered")
    assert "12 of 12 report" in page


def test_disabled_meters_are_named_but_not_shown(create_still_user: Callable[..., CliUser]) -> None:
    page = print_page(create_still_user("meters-disabled", hour_of_day=12))
    assert "All meters of this gateway are disabled" in page
    assert "Voltage" not in page


def test_some_disabled_meters_are_named(create_still_user: Callable[..., CliUser]) -> None:
    page = print_page(create_still_user("many-meters"))
    assert "Disabled meters: Battery, backfeed, load, evse, pv3p." in page
    assert "Production +" not in page
    assert "(today unknown (firmware))" in find_row(page, "Production")


def test_grid_power_is_calculated_if_only_total_consumption_is_metered(
    create_still_user: Callable[..., CliUser],
) -> None:
    user = create_still_user("total-consumption", hour_of_day=12)
    page = print_page(user)
    net = get_truth(user, page).net_consumption.total.active_power
    assert parse_quantities(find_row(page, "Grid (net)")) == [pytest.approx(abs(net), rel=0.006, abs=0.6)]
    assert find_row(page, "Grid (net)").endswith("not metered")


def test_energies_are_unknown_with_unmetered_batteries_and_the_page_explains_it(
    create_still_user: Callable[..., CliUser],
) -> None:
    page = print_page(create_still_user("battery-without-meter"))
    assert find_row(page, "Consumption").endswith("unknown")
    assert "The batteries have no meter: their lifetime energies and the home's are unknown." in page


def test_the_page_shows_the_time_of_the_last_report_at_night(
    create_still_user: Callable[..., CliUser],
) -> None:
    page = print_page(create_still_user("no-meters", hour_of_day=22))
    assert parse_quantities(find_row(page, "Production"))[0] == 0
    assert re.search(r"none of 12 has reported since .*\d\d:\d\d, together 0 W", page)
    assert len(re.findall(r"not reported since [\d:-]+$", page, re.MULTILINE)) == 12


def test_the_nightly_consumption_of_the_array_is_no_production(
    create_still_user: Callable[..., CliUser],
) -> None:
    page = print_page(create_still_user("three-phase", hour_of_day=1))
    assert re.match(r"Production +\d+ W  consumed by the array ", find_row(page, "Production"))


def test_only_the_wired_phase_of_a_three_phase_meter_is_shown(
    create_still_user: Callable[..., CliUser],
) -> None:
    page = print_page(create_still_user("one-of-three"))
    assert find_row(page, "L1")
    assert "  L2" not in page


def test_a_failed_endpoint_is_named(create_still_user: Callable[..., CliUser]) -> None:
    user = create_still_user("three-phase")
    user.simulator.faults.set("status", "/production.json", status=503)
    page = print_page(user)
    assert "Incomplete: the gateway answered /production.json with status 503" in page
    assert "12 of 12 report" in page
