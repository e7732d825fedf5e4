"""Home Assistant, console, message, HAT and chart show the same values for the same responses, in any house.

The test is in this suite because only its environment has Home Assistant. The scripts import the client as
`enphase_api`, so there is a second copy of it beside that of the integration.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from custom_components.enphase_iq_gateway import enphase_api as integrations_client
from custom_components.enphase_iq_gateway.const import EnergySource
from custom_components.enphase_iq_gateway.data import GatewayData
from custom_components.enphase_iq_gateway.enphase_api.local import connection as integrations_connection
from enphase_companion.simulator.answers import SimulatedAnswers
from enphase_companion.simulator.house import Clock, House
from enphase_companion.simulator.profiles import NET, PRODUCTION, PROFILES, QUIRKS, STORAGE, TOTAL, find

from .helpers import scripts_name

#: Power in W, energy in Wh; None if unknown.
type Numbers = dict[str, float | None]


class Answers:
    """The responses of a simulated gateway at one time, with some damaged values of its meters."""

    def __init__(self, profile: str, at: float, damage: list[tuple[int, str, Any]]) -> None:
        clock = Clock(0.0, at)
        house = House(find(profile), 1, at, 0.0)
        self._answers = SimulatedAnswers(house, clock, "122300000001")
        self._clock = clock
        self._damage = damage
        self._cache: dict[str, tuple[int, bytes]] = {}
        # For the quirks that follow a power failure.
        self._answers.restart()

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body of a path, which are the same for each client."""
        if path not in self._cache:
            self._cache[path] = self._get(path)
        return self._cache[path]

    def advance(self, seconds: float) -> None:
        """Answer as that much later."""
        self._clock.advance(seconds)
        self._cache.clear()

    def _get(self, path: str) -> tuple[int, bytes]:
        if path == "/auth/check_jwt":
            return 200, b""
        if path == "/info":
            return 200, self._answers.info().encode()
        try:
            answer = self._answers.get(path, "")
        except PermissionError:
            return 401, b""
        if answer is None:
            return 404, b""
        answer = json.loads(json.dumps(answer))
        if path == "/ivp/meters/readings" and answer:
            for number, key, value in self._damage:
                meter = answer[number % len(answer)]
                part = [meter, *meter["channels"]][number % 4]
                part[key] = value
        return 200, json.dumps(answer).encode()


async def client(gateway: type[Any], connection: Any, answers: Answers) -> Any:
    """Return a client that gets its responses without a network."""

    class Direct(gateway):  # type: ignore[misc]
        async def _ask(self, _method: str, path: str, **_: Any) -> Any:
            status, body = answers.get(path)
            return connection.Answer(status=status, session_id=None, body=body)

    direct = Direct("https://gateway.example", insecure=True)
    assert await direct.login("e30.e30.AA")
    return direct


async def home_assistant(gateway: Any) -> Numbers:
    """Return the values of the site that the sensors of the integration show."""
    info, meters = await gateway.info(), await gateway.meters()
    metered = {meter.measurement_type for meter in meters if meter.enabled}
    data = GatewayData(
        info=info,
        meters=meters,
        production_source=EnergySource.METER,
        totals=await gateway.production_totals(),
        readings=await gateway.readings(meters),
        production=await gateway.production(),
        listed_inverters={each.serial_number: each for each in await gateway.inverters()},
        listed_batteries=await gateway.batteries(),
        gateway_time=gateway.now,
    )
    if PRODUCTION not in metered:
        data = replace(data, production_source=data.energy_source or EnergySource.TOTALS)
    return asdict(data.site)


async def console(gateway: Any) -> tuple[Numbers, dict[str, Any]]:
    """Return the values of the site that the console shows, and its JSON document."""
    overview = await scripts_name("enphase_companion.console.overview").Overview.read(
        gateway, await gateway.info()
    )
    assert overview.problems == ()
    document = scripts_name("enphase_companion.console.document").build_document(overview)
    return asdict(overview.site), document


async def message(gateway: Any) -> Any:
    """Return the decoded message of the readings, including production of microinverters."""
    form = scripts_name("enphase_companion.message")
    meters, batteries = await gateway.meters(), await gateway.batteries()
    batteries = batteries.with_ac((await gateway.production()).ac_batteries)
    metered = {meter.measurement_type for meter in meters if meter.enabled}
    decoded = form.from_readings(
        await gateway.readings(meters),
        "122300000001",
        datetime.now(UTC).timestamp(),
        unmetered_batteries=batteries.are_there and STORAGE not in metered,
    )
    inverters = scripts_name("enphase_companion.gateway.inverters").InverterProduction(for_display=True)
    decoded = await inverters.complete(gateway, await gateway.info(), meters, decoded)
    return form.decode(form.encode(decoded))


def reports(decoded: Any) -> Numbers:
    """Return the power of each report in the format of Enphase-API."""
    listed = scripts_name("enphase_companion.message").build_reports(decoded)
    return {each["reportType"]: each["cumulative"]["actPower"] for each in listed}


def chart(decoded: Any) -> Numbers:
    """Return the powers and energies that a chart shows for this message."""
    series = scripts_name("enphase_companion.charts.series")
    whole = {each.measurement: each for each in decoded.samples if each.phase == 0}
    metering = series.Metering(metered=decoded.metered, unmetered_batteries=decoded.has_unmetered_batteries)
    tracks = {
        name: series.make_track([each.measured_at], [each.quantities.active_power])
        for name, each in whole.items()
    }
    powers = {
        quantity.name: None if is_nan(track.values[-1]) else float(track.values[-1])
        for quantity, track in series.make_power_tracks(tracks, metering).items()
    }
    counted = {
        name: (each.quantities.energy_delivered, each.quantities.energy_received)
        for name, each in whole.items()
    }
    totals = series.calculate_totals(counted, metering)
    return {
        "production_power": powers.get("PRODUCTION"),
        "grid_power": powers.get("NET"),
        "home_power": powers.get("CONSUMPTION"),
        "battery_power": powers.get("BATTERY"),
        "produced_energy": totals.produced,
        "imported_energy": totals.imported,
        "exported_energy": totals.exported,
        "discharged_energy": totals.discharged,
        "charged_energy": totals.charged,
        "consumed_energy": totals.consumed,
    }


def is_nan(value: Any) -> bool:
    """Whether a number of numpy is NaN."""
    return bool(value != value)  # noqa: PLR0124 - NaN does not equal itself


def approximately(numbers: Mapping[str, float | None]) -> Any:
    """Return these numbers for a comparison with a tolerance for rounding errors."""
    return pytest.approx(dict(numbers), rel=1e-9, abs=1e-3)


async def compare_phases(answers: Answers) -> None:
    """Compare the values of each phase: those of the meters, and grid and home of messages and charts."""
    gateway = await client(integrations_client.local.Gateway, integrations_connection, answers)
    scripts = await client(
        scripts_name("enphase_api.local").Gateway, scripts_name("enphase_api.local.connection"), answers
    )
    meters = await gateway.meters()
    data = GatewayData(
        info=await gateway.info(),
        meters=meters,
        production_source=EnergySource.METER,
        readings=await gateway.readings(meters),
        gateway_time=gateway.now,
    )
    shown = {
        (meter.eid, f"L{phase + 1}"): select_values(quantities._asdict())
        for meter in data.enabled_meters
        for phase in data.wired_phases(meter)
        if (quantities := data.quantities(meter.eid, phase)) is not None
    }
    _, document = await console(scripts)
    printed = {
        (meter["eid"], phase["phase"]): select_values(
            {name: phase[f"{name}_{unit}"] for name, unit in UNITS.items()}
        )
        for meter in document["meters"]
        for phase in meter["phases"]
    }
    assert {key: printed[key] for key in shown} == shown

    decoded = await message(scripts)
    eids = {each.meter.measurement_type: each.meter.eid for each in reversed(data.readings.readings)}
    sent = {
        (eids[each.measurement], f"L{each.phase}"): select_values(each.quantities._asdict())
        for each in decoded.samples
        if each.phase and each.measurement in eids
    }
    assert sent == {key: values for key, values in printed.items() if key in sent}
    assert sent.keys() >= {(eid, phase) for eid, phase in shown if eid in eids.values()}

    panels = {panel.name: panel for panel in live_chart(decoded).panels}
    names = {NET: "NET", TOTAL: "CONSUMPTION", PRODUCTION: "PRODUCTION"}
    site = scripts_name("enphase_api.models.site")
    terms = {PRODUCTION: [PRODUCTION]} | {
        kind: list(rule(decoded.metered, unmetered_batteries=decoded.has_unmetered_batteries))
        for kind, rule in ((NET, site.grid_terms), (TOTAL, site.home_terms))
    }
    for report in scripts_name("enphase_companion.message").build_reports(decoded):
        kind = report["reportType"]
        phases = sorted(
            {each.phase for each in decoded.samples if each.measurement == terms[kind][0] and each.phase}
        )
        drawn = {
            phase: {quantity.name: track.values[-1] for quantity, track in panels[f"L{phase}"].tracks.items()}
            for phase in phases
        }
        assert [line["actPower"] for line in report["lines"]] == pytest.approx(
            [drawn[phase][names[kind]] for phase in phases], rel=1e-9, abs=1e-3
        )


async def compare_energies(answers: Answers, seconds: float) -> None:
    """Compare the energies of a time: increases of Home Assistant's and the console's with a live chart's."""
    gateway = await client(integrations_client.local.Gateway, integrations_connection, answers)
    scripts = await client(
        scripts_name("enphase_api.local").Gateway, scripts_name("enphase_api.local.connection"), answers
    )
    before, first = await home_assistant(gateway), await message(scripts)
    answers.advance(seconds)
    after, last = await home_assistant(gateway), await message(scripts)
    increases = {
        name: None if value is None or (start := before[name]) is None or value < start else value - start
        for name, value in after.items()
        if name.endswith("_energy")
    }
    if PRODUCTION not in last.metered:
        # Messages do not contain the lifetime energy of microinverters.
        increases["produced_energy"] = None
    totals = live_chart(first, last).totals
    assert {
        "produced_energy": totals.produced,
        "imported_energy": totals.imported,
        "exported_energy": totals.exported,
        "discharged_energy": totals.discharged,
        "charged_energy": totals.charged,
        "consumed_energy": totals.consumed,
    } == approximately(increases)


def live_chart(*messages: Any) -> Any:
    """Return the view of a live chart of a day after these messages."""
    live = scripts_name("enphase_companion.charts.live")
    data = live.LiveData(24 * 60, 5, ZoneInfo("UTC"), phases=True, clock=lambda: messages[-1].timestamp)
    for each in messages:
        data.add(each)
    return data.view(None)


#: Quantities of a phase that each program has, with their units in the keys of the console.
UNITS = {
    "active_power": "w", "voltage": "v", "current": "a", "energy_delivered": "wh", "energy_received": "wh",
}  # fmt: skip


def select_values(quantities: Mapping[str, float | None]) -> Numbers:
    """Return the quantities of a phase that are compared."""
    return {name: quantities[name] for name in UNITS}


async def compare(answers: Answers) -> None:
    """Compare the values that all programs show for the same gateway."""
    local = scripts_name("enphase_api.local")
    connection = scripts_name("enphase_api.local.connection")
    shown = await home_assistant(
        await client(integrations_client.local.Gateway, integrations_connection, answers)
    )
    scripts = await client(local.Gateway, connection, answers)
    page, document = await console(scripts)
    decoded = await message(scripts)
    totals = await scripts.production_totals()
    if PRODUCTION not in decoded.metered and totals.is_empty:
        # Only the counter of Home Assistant corrects zeros and overflows of the sum of microinverters.
        for numbers in (shown, page):
            numbers["produced_energy"] = None
        document["production"]["lifetime_wh"] = None

    assert page == approximately(shown)
    battery = document["battery"] or {}
    assert {
        "production_power": document["production"]["power_w"],
        "grid_power": document["grid"]["power_w"],
        "home_power": document["consumption"]["power_w"],
        "battery_power": battery.get("power_w"),
        "produced_energy": document["production"]["lifetime_wh"],
        "imported_energy": document["grid"]["imported_lifetime_wh"],
        "exported_energy": document["grid"]["exported_lifetime_wh"],
        "discharged_energy": battery.get("discharged_lifetime_wh"),
        "charged_energy": battery.get("charged_lifetime_wh"),
        "consumed_energy": document["consumption"]["lifetime_wh"],
    } == approximately(shown)

    # Messages do not contain unmetered batteries and the lifetime energy of microinverters.
    expected = dict(shown)
    if decoded.has_unmetered_batteries:
        expected["battery_power"] = None
        if TOTAL not in decoded.metered:
            expected["home_power"] = None
        if NET not in decoded.metered:
            expected["grid_power"] = None
    if PRODUCTION not in decoded.metered:
        expected["produced_energy"] = None
    assert chart(decoded) == approximately(expected)
    powers = scripts_name("enphase_companion.displays.state").Powers.from_message(decoded)
    assert {"production_power": powers.production, "home_power": powers.consumption} == approximately(
        {key: expected[key] for key in ("production_power", "home_power")}
    )
    # Messages of Enphase-API's scripts do not contain whether there are unmetered batteries.
    unknown = replace(decoded, has_unmetered_batteries=None)
    powers = scripts_name("enphase_companion.displays.state").Powers.from_message(unknown)
    drawn = chart(unknown)
    assert {key: drawn[key] for key in ("production_power", "home_power")} == approximately(
        {"production_power": powers.production, "home_power": powers.consumption}
    )
    reported = reports(decoded)
    assert reported == approximately(
        {
            kind: expected[key]
            for kind, key in ((PRODUCTION, "production_power"), (NET, "grid_power"), (TOTAL, "home_power"))
            if kind in reported
        }
    )


#: Damaged values of a meter or of one of its channels.
DAMAGE = st.lists(
    st.tuples(
        st.integers(0, 11),
        st.sampled_from(
            [
                "activePower",
                "instantaneousDemand",
                "voltage",
                "current",
                "freq",
                "actEnergyDlvd",
                "actEnergyRcvd",
            ]
        ),
        st.sampled_from([None, 0.0, -0.0, "broken", 5_284_029.0, -3.25]),
    ),
    max_size=3,
)

#: Any hour of the year 2026; at night no microinverter reports.
HOURS = st.integers(0, 365 * 24 - 1).map(
    lambda hour: datetime(2026, 1, 1, tzinfo=UTC).timestamp() + hour * 3600
)

#: Each profile that the client supports, and each quirk with a profile in which it matters.
HOUSES = [
    *sorted(PROFILES.keys() - {"old-firmware"}),
    *(f"{'no-meters' if quirk == 'meters-401' else 'battery'}+{quirk}" for quirk in QUIRKS),
]


@pytest.mark.slow
@pytest.mark.parametrize("house", HOUSES)
# Shrinking a failure takes minutes.
@settings(
    deadline=None, max_examples=3, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
)
@given(quirks=st.lists(st.sampled_from(sorted(QUIRKS)), max_size=3, unique=True), at=HOURS, damage=DAMAGE)
def test_all_programs_show_the_same_values(
    house: str, quirks: list[str], at: float, damage: list[tuple[int, str, Any]]
) -> None:
    profile = "+".join([house, *(quirk for quirk in quirks if quirk not in house)])
    asyncio.run(compare(Answers(profile, at, damage)))


@pytest.mark.slow
@pytest.mark.parametrize("house", HOUSES)
@settings(
    deadline=None, max_examples=2, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
)
@given(at=HOURS, damage=DAMAGE)
def test_all_programs_show_the_same_values_of_each_phase(
    house: str, at: float, damage: list[tuple[int, str, Any]]
) -> None:
    asyncio.run(compare_phases(Answers(house, at, damage)))


#: Unknown values of a meter. A counter that stands still is not here: only Home Assistant notices that.
UNKNOWN = DAMAGE.map(lambda damage: [(number, key, None) for number, key, _ in damage])


@pytest.mark.slow
# Only Home Assistant and the database see through an overflow.
@pytest.mark.parametrize("house", [house for house in HOUSES if "meters-wrap" not in house])
@settings(
    deadline=None, max_examples=2, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
)
@given(at=HOURS, damage=UNKNOWN)
def test_all_programs_show_the_same_energies_of_some_hours(
    house: str, at: float, damage: list[tuple[int, str, Any]]
) -> None:
    asyncio.run(compare_energies(Answers(house, at, damage), 3 * 3600))
