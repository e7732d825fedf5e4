"""The page for people: plain text whose numbers are the house's, and words for what is missing."""

from __future__ import annotations

import io
import re
from argparse import Namespace
from collections.abc import Callable
from datetime import datetime, time

import pytest
from rich.console import Console

from enphase_companion.commands.gateway_console import main
from enphase_companion.config.loader import load_settings
from enphase_companion.console.overview import Overview
from enphase_companion.console.page import page
from enphase_companion.gateway.connection import open_gateway
from enphase_companion.simulator.truth import Truth
from enphase_companion.units import power
from tests.houses import JUNE

from ..cli_user import CliUser

UNITS = {"W": 1, "kW": 1e3, "Wh": 1, "kWh": 1e3, "MWh": 1e6, "V": 1, "A": 1, "Hz": 1}


def printed(user: CliUser) -> str:
    result = user.run(main)
    assert result.status == 0, result.err
    return result.out


#: By this machine's clock: of a report of the day before, a page shows the date too.
NOON = datetime.combine(JUNE, time(12)).timestamp()


def row(page: str, start: str, number: int = 0) -> str:
    """Return the line that starts with a word; of several, the one with this number."""
    return [line for line in page.splitlines() if re.match(rf"\s*{re.escape(start)}(\s|$)", line)][number]


def quantities(line: str) -> list[float]:
    """Return every number with a unit in a line, in the unit's base."""
    found = re.findall(r"(-?[\d.]+) (W|kW|Wh|kWh|MWh|V|A|Hz)\b", line)
    return [float(number) * UNITS[unit] for number, unit in found]


def house(user: CliUser, page: str) -> Truth:
    """Return the house at the second that the page is about; no time passes in it."""
    moment = int(user.simulator.clock.time())
    assert f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M:%S}" in page
    return user.simulator.house.truth(moment)


def test_the_page_says_what_the_house_has(still: Callable[..., CliUser]) -> None:
    user = still("three-phase", hour_of_day=12, start=NOON)
    page = printed(user)
    truth = house(user, page)
    made, net, home = truth.production, truth.net_consumption, truth.total_consumption
    power, lifetime, today = quantities(row(page, "Production"))
    assert power == pytest.approx(made.total.active_power, rel=0.006)
    assert lifetime == pytest.approx(made.total.energy_delivered, abs=5001)
    assert 100 < today < 100_000
    power, lifetime = quantities(row(page, "Consumption"))
    assert power == pytest.approx(home.total.active_power, rel=0.006, abs=0.6)
    assert lifetime == pytest.approx(home.total.energy_delivered, abs=5001)
    power, imported, exported = quantities(row(page, "Grid (net)"))
    assert power == pytest.approx(abs(net.total.active_power), rel=0.006, abs=0.6)
    assert ("export" in row(page, "Grid (net)").split()) == (net.total.active_power < 0)
    assert imported == pytest.approx(net.total.energy_delivered, abs=5001)
    assert exported == pytest.approx(net.total.energy_received, abs=5001)
    for number in range(3):
        phase = made.phases[number]
        said = quantities(row(page, f"L{number + 1}"))
        assert said[0] == pytest.approx(phase.active_power, rel=0.006, abs=0.6)
        assert said[1:4] == pytest.approx([phase.voltage, phase.current, phase.frequency], abs=0.06)
        assert quantities(row(page, f"L{number + 1}", 1))[0] == pytest.approx(
            net.phases[number].active_power, rel=0.006, abs=0.6
        )
    for serial_number in truth.inverters:
        assert re.match(rf"\s+{serial_number} +\d+ W +\d+ W  \d\d:\d\d$", row(page, serial_number))


@pytest.mark.parametrize(("hour", "word"), [(12, "export"), (22, "import")])
def test_the_grids_direction_is_a_word(still: Callable[..., CliUser], hour: float, word: str) -> None:
    page = printed(still("single-phase", hour_of_day=hour))
    assert re.match(rf"Grid \(net\) +[\d.]+ k?W  {word} ", row(page, "Grid (net)"))


@pytest.mark.parametrize(("hour", "word"), [(10, "charging"), (21, "discharging")])
def test_the_batterys_direction_is_a_word(still: Callable[..., CliUser], hour: float, word: str) -> None:
    user = still("battery", hour_of_day=hour, start=NOON)
    page = printed(user)
    assert re.match(rf"Battery +[\d.]+ k?W  {word} ", row(page, "Battery"))
    assert re.match(
        r"Batteries: \d+ % charged, [\d.]+ kWh of 15.0 kWh, reserve 20 %, on grid$",
        row(page, "Batteries:"),
    )
    units = re.findall(r"^  4924\d{8} +\d+ % +-?[\d.]+ k?W +5.0 kWh +\d+ °C  \d\d:\d\d$", page, re.MULTILINE)
    assert len(units) == 3


def test_plain_text_has_no_colour_and_no_spaces_at_the_end(still: Callable[..., CliUser]) -> None:
    page = printed(still("battery"))
    assert "\x1b" not in page
    assert all(line == line.rstrip() for line in page.splitlines())
    assert max(map(len, page.splitlines())) <= 80


QUANTITY = re.compile(r"-?[\d.]+ (?:[kM]?Wh?|V|A|Hz|%|°C)(?![A-Za-z])")


def drawn(overview: Overview, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(page(overview, bars=True))
    return captured.get()


@pytest.mark.parametrize("profile", ["battery", "three-phase", "many-meters", "sixty-inverters"])
@pytest.mark.slow
async def test_a_narrow_terminal_gets_fewer_columns_but_whole_numbers(
    still: Callable[..., CliUser], profile: str
) -> None:
    user = still(profile, hour_of_day=12)
    names = ("gateway_host", "gateway_token")
    options = Namespace(configuration=str(user.folder), gateway_host=user.simulator.url)
    async with open_gateway(load_settings(names, options)) as (gateway, info):
        overview = await Overview.read(gateway, info)
    whole = drawn(overview, 200)
    known = {*QUANTITY.findall(whole)}
    columns = []
    for width in (78, 70, 60, 50, 40, 34):
        narrow = drawn(overview, width)
        assert max(map(len, narrow.splitlines())) <= width
        assert "…" not in narrow
        assert {*QUANTITY.findall(narrow)} <= known
        for each in overview.readings:
            assert power(each.total.active_power) in narrow
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
def test_the_wiring_is_called_as_electricians_do(
    still: Callable[..., CliUser], profile: str, wiring: str
) -> None:
    assert f"\nMeters: {wiring}\n" in printed(still(profile, hour_of_day=12))


@pytest.mark.parametrize("profile", ["no-meters", "no-meters-404"])
def test_without_meters_the_page_says_so(still: Callable[..., CliUser], profile: str) -> None:
    page = printed(still(profile, hour_of_day=12))
    assert "This gateway has no meters: the values are those of its microinverters." in page
    assert row(page, "Consumption").split() == ["Consumption", "-", "not", "metered"]
    assert row(page, "Grid").endswith("not metered")
    assert "12 of 12 report" in page


def test_disabled_meters_are_said_to_be_so_and_not_shown(still: Callable[..., CliUser]) -> None:
    page = printed(still("meters-disabled", hour_of_day=12))
    assert "All meters of this gateway are disabled" in page
    assert "Voltage" not in page


def test_some_disabled_meters_are_named(still: Callable[..., CliUser]) -> None:
    page = printed(still("many-meters"))
    assert "Disabled meters: Battery, backfeed, load, evse, pv3p." in page
    assert "Production +" not in page
    assert "(today unknown (firmware))" in row(page, "Production")


def test_where_only_total_consumption_is_metered_the_grid_is_worked_out(
    still: Callable[..., CliUser],
) -> None:
    user = still("total-consumption", hour_of_day=12)
    page = printed(user)
    net = house(user, page).net_consumption.total.active_power
    assert quantities(row(page, "Grid (net)")) == [pytest.approx(abs(net), rel=0.006, abs=0.6)]
    assert row(page, "Grid (net)").endswith("not metered")


def test_batteries_without_a_meter_leave_energies_unknown_with_the_reason(
    still: Callable[..., CliUser],
) -> None:
    page = printed(still("battery-without-meter"))
    assert row(page, "Consumption").endswith("unknown")
    assert "The batteries have no meter: their lifetime energies and the home's are unknown." in page


def test_at_night_the_page_says_since_when_nothing_was_reported(still: Callable[..., CliUser]) -> None:
    page = printed(still("no-meters", hour_of_day=22))
    assert quantities(row(page, "Production"))[0] == 0
    assert re.search(r"none of 12 has reported since .*\d\d:\d\d, together 0 W", page)
    assert len(re.findall(r"not reported since [\d:-]+$", page, re.MULTILINE)) == 12


def test_the_nightly_draw_of_the_array_is_no_production(still: Callable[..., CliUser]) -> None:
    page = printed(still("three-phase", hour_of_day=1))
    assert re.match(r"Production +\d+ W  consumed by the array ", row(page, "Production"))


def test_of_a_three_phase_meter_only_the_wired_phase_is_shown(still: Callable[..., CliUser]) -> None:
    page = printed(still("one-of-three"))
    assert row(page, "L1")
    assert "  L2" not in page


def test_a_page_that_fails_is_named(still: Callable[..., CliUser]) -> None:
    user = still("three-phase")
    user.simulator.faults.set("status", "/production.json", status=503)
    page = printed(user)
    assert "Incomplete: The gateway answered /production.json with status 503" in page
    assert "12 of 12 report" in page
