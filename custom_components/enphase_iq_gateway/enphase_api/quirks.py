"""Known firmware bugs: name, firmware, source and workaround, in one place.

`KNOWN` is the list of docs/quirks.md; the functions are the workarounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models.meters import Meter
    from .models.readings import Quantities


@dataclass(frozen=True, slots=True)
class Quirk:
    """A firmware bug: what the gateway reports, which firmware, who found it, and the workaround."""

    name: str
    firmware: str
    source: str
    workaround: str


KNOWN = (
    Quirk(
        "Disabled meters still report",
        "all",
        "recordings of 8.2.4264 and 8.3.5433",
        "Only enabled meters are read.",
    ),
    Quirk(
        "Meters that /ivp/meters does not list",
        "all",
        "recording of 8.3.5433: eid 1023410688",
        "Their readings are ignored; a new one means that the list of meters has changed.",
    ),
    Quirk(
        "Phases are counted but not wired",
        "all",
        "recording of 7.3.466: 6 V and 11 V on two of three phases",
        "A phase below 50 V counts as not wired and is not shown.",
    ),
    Quirk(
        "Channels beyond the counted phases mirror another meter",
        "8.2.127",
        "recording: the third channel of the net meter repeats the second of the storage meter",
        "Channels beyond the meter's phase count are ignored.",
    ),
    Quirk(
        "A three-phase meter's voltage is the sum of its phases",
        "all",
        "recording of 8.2.4264: 713 V",
        "The mean of the wired phases is used. Split phase keeps its sum, which is the real 240 V.",
    ),
    Quirk(
        "A meter's power factor is the sum of its phases'",
        "8.3",
        "recording of 8.3.5433: 1.55",
        "Outside -1 to 1, it is calculated: active power by apparent power.",
    ),
    Quirk(
        "A split-phase storage meter loses a phase",
        "8.3.6000 and later",
        "pyenphase issue 478",
        "While one phase is all zero and the whole equals the other, that phase and the whole are unknown.",
    ),
    Quirk(
        "The active power of a meter's phases does not add up to the meter's",
        "8.3.5433, gateways with seven meters",
        "recording: 431.2 W and 364.6 W of 786.5 W",
        "The power of a phase is its instantaneousDemand, which adds up; elsewhere both are equal.",
    ),
    Quirk(
        "After a power cut, the power of a meter is its energy counter",
        "8.3.5167",
        "5,284,029 W of production at 240 V and 12 A",
        "A power beyond 1 MW, or beyond 1.5 times volts by amperes, is unknown, and so are sums with it.",
    ),
    Quirk(
        "A phase shows voltage and current of another meter's phase, and a power that these cannot carry",
        "8.2.127",
        "recording: -2115 W on the storage meter's first phase, beside the net meter's 1130 VA",
        "Power and current of that phase and of the whole meter are unknown, and so are sums with them.",
    ),
    Quirk(
        "A frequency of 0 Hz at an enabled meter",
        "not known",
        "120 V beside it",
        "The frequency is unknown: no grid has 0 Hz.",
    ),
    Quirk(
        "A running generator counts as grid import while the grid is off",
        "all with a System Controller",
        "the net consumption meter measures whatever feeds the home",
        "Grid power is unknown while the grid is off and power flows; imported energy includes it.",
    ),
    Quirk(
        "The grid_state of an IQ Meter Collar stays on_grid while the site is off the grid",
        "8.3",
        "core pull request 153766",
        "The grid connection is read from admin_state_str: ENCMN_MDE_ON_GRID or _OFF_GRID, else unknown.",
    ),
    Quirk(
        "Reports do not contain exported energy",
        "8.3.5169",
        "received energy of net consumption is 0, delivered energy is netted",
        "All meter values come from /ivp/meters/readings.",
    ),
    Quirk(
        "Total consumption equals net consumption in /production.json",
        "8.3.5433",
        "pyenphase issues 467 and 477",
        "Consumption is never read from there; the meter's own reading is right.",
    ),
    Quirk(
        "Today's energy equals the lifetime's, or never resets",
        "8.3.5169 to 8.3.5528, others",
        "core issues 172111 and 161892",
        "The console shows it if it is plausible, else as unknown.",
    ),
    Quirk(
        "Energy counters drop: overflows at 2^32 Wh and 1.19 MWh, zeros after a power cut, replaced meters",
        "all",
        "core issues 176707, 140602 and 120091",
        "Overflows are added at once. Else the last value is held, and continues after a lasting drop.",
    ),
    Quirk(
        "The microinverters' sum in /production.json is modulo 2^32 J",
        "7.0 to 8.2.127",
        "recording of 7.6.175: 174,174 Wh instead of 6,139,406 Wh",
        "Without a production meter, lifetime energy is the total of /api/v1/production.",
    ),
    Quirk(
        "Without a production meter, the totals of /api/v1/production are 0 or do not change",
        "8.3.5422; with unconnected meters 8.2.4264 and later",
        "recording of 8.2.4264: 1583 Wh; pyenphase",
        "The microinverters' sum in /production.json is used. A change of source adds no energy.",
    ),
    Quirk(
        "A silent microinverter or battery keeps its last values for years",
        "all",
        "microinverters that last reported in 2018, or 26 hours ago",
        "65 minutes after its last report, by the gateway's clock, its values are unknown and in no sum.",
    ),
    Quirk(
        "The maximum power of each microinverter is 0",
        "not known",
        "58 W beside it",
        "The maximum is unknown, and does not limit today's energy.",
    ),
    Quirk(
        "Max_energy of AC Batteries is less than their available energy",
        "not known",
        "412 Wh beside 446 Wh available at 18 %",
        "Their capacity is unknown.",
    ),
    Quirk(
        "/ivp/pdm/device_data stops at 50 devices",
        "8",
        "pyenphase pull request 305",
        "The others are read from /api/v1/production/inverters, which lists all, without details.",
    ),
    Quirk(
        "Removed microinverters stay in /ivp/pdm/device_data",
        "8",
        "recording of 8.3.5433: eight of twenty",
        "Those that are not active are left out.",
    ),
    Quirk(
        "The temperature of a System Controller is in °F, unlike that of all other devices",
        "all",
        "recording of 8.2.127: 72 beside batteries at 12 °C; pyenphase",
        "It is converted.",
    ),
    Quirk(
        "The relay of a System Controller is open synchronizing or open synchronized, never only open",
        "8.3.6086",
        "mpreissner/ha-enphase-realtime",
        "Its first word is the position.",
    ),
    Quirk(
        "A generator is present on gateways without one",
        "7.3.466 to 8.2.127",
        "recordings",
        "There is a generator if its admin_state is known.",
    ),
    Quirk(
        "The battery controller ignores the stored tariff document",
        "8.3.6086",
        "mpreissner/ha-enphase-realtime; Enphase-API issue 30 since 8.2.4225",
        "Where /ivp/sc/sched or /ivp/ensemble/secctrl differ from the document, or its schedule "
        "has no source, its mode is unknown, and a written value has not held. Enphase's cloud "
        "reaches the controller.",
    ),
    Quirk(
        "A written battery mode is ignored while opt_schedules is true",
        "8.2.42 and later",
        "pyenphase",
        "It is set to false in the same write; while it is true again, a written mode has not held.",
    ),
    Quirk(
        "Charging from the grid is allowed, but does not begin",
        "8.3.6086, after a reboot",
        "mpreissner/ha-enphase-realtime",
        "It is reported. A change of the mode and back frees the scheduler.",
    ),
    Quirk(
        "All NC contacts are reported as open for up to 90 s after a change of settings",
        "8.3.6086",
        "mpreissner/ha-enphase-realtime",
        "For 90 s after a change by this client, an open NC contact is unknown.",
    ),
    Quirk(
        "A command is answered with status 200 and has no effect",
        "all",
        "users' reports",
        "The answer is ignored: what the gateway reports after seconds, and after a minute, decides.",
    ),
    Quirk(
        "After a reboot, numbers of /ivp/ensemble/inventory are the text unknown",
        "8.3.6086",
        "mpreissner/ha-enphase-realtime",
        "They are unknown.",
    ),
    Quirk(
        "Missing endpoints return 401, or an error instead of a list",
        "7, standard gateways",
        "pyenphase",
        "If logging in again changes nothing, meters or batteries count as absent.",
    ),
    Quirk(
        "Some gateways list AC Batteries among the microinverters",
        "8.2.4382",
        "pyenphase pull request 428",
        "They are skipped by device type, and read from /production.json, where every gateway has them.",
    ),
    Quirk(
        "AC Batteries are counted where there are none",
        "not known",
        "pyenphase",
        "They count only with a state of charge.",
    ),
    Quirk(
        'The key of /ivp/ensemble/power is "devices:", with the colon',
        "all",
        "recordings",
        "The key is read with and without the colon.",
    ),
    Quirk(
        "A gateway lists microinverters of a neighbour, which it receives over the power line",
        "all",
        "users' reports: they never reported to it, or not for long",
        "Those that never reported are ignored; of two gateways, the one with the latest report has them.",
    ),
    Quirk(
        "No answer for some minutes every night about 23:00",
        "8.3",
        "core issue 156189",
        "Entities are unavailable meanwhile; counters catch up.",
    ),
    Quirk(
        "The sums of /ivp/ensemble/secctrl are 0 without batteries",
        "all",
        "recordings of 7.3.466, 7.6.175 and 8.2.4264",
        "Without batteries, charge, energy and capacity are unknown.",
    ),
    Quirk(
        "Lists are empty at times",
        "not known",
        "core: enphase_envoy guards against it",
        "An empty list of meters is ignored; batteries that are missing for an hour count as removed.",
    ),
    Quirk(
        "A gateway that has just started reports 0 for all energies",
        "not known",
        "home_assistant_enphase_envoy_installer issue 82",
        "A counter starts above 0, or if 0 persists for 15 minutes; no source is chosen by zeros.",
    ),
    Quirk(
        "A gateway that has just started rejects valid tokens",
        "not known",
        "Enphase-Envoy-mqtt-json issue 23",
        "A rejected token is retried for ten minutes before a new sign-in is required.",
    ),
    Quirk(
        "Zero is written as -0.0",
        "7.3.466 to 8.2.4264",
        "recordings",
        "It is read as 0.",
    ),
)

#: V: a connected phase has 100 V or more everywhere; noise on open terminals was seen up to 12 V.
_WIRED = 50

#: Times volts by amperes: no power exceeds this, although the three are not measured at the same instant.
_IMPOSSIBLE = 1.5

#: W: below about 0.1 A, the current of a meter is less accurate than its power.
_ROUGH = 25

#: Hours at rated power: no array produces more in a day.
_DAY = 24


def is_wired(phase: Quantities) -> bool:
    """Return whether a phase is connected, by its voltage; one with unknown voltage counts as connected."""
    return phase.voltage is None or phase.voltage >= _WIRED


def meter_voltage(total: Quantities, channels: Sequence[Quantities], *, is_three_phase: bool) -> float | None:
    """Return a whole meter's voltage: the mean of its wired phases if there are three, else as reported."""
    wired = [phase.voltage for phase in channels if phase.voltage is not None and is_wired(phase)]
    if not is_three_phase or len(wired) < 2:
        return total.voltage
    return sum(wired) / len(wired)


def power_factor(total: Quantities) -> float | None:
    """Return a whole meter's power factor, calculated if the firmware added up those of the phases."""
    if total.power_factor is None or abs(total.power_factor) <= 1:
        return total.power_factor
    if not total.apparent_power or total.active_power is None:
        return None
    factor = total.active_power / abs(total.apparent_power)
    return factor if abs(factor) <= 1 else None


def without_lost_phase(
    meter: Meter, total: Quantities, channels: list[Quantities]
) -> tuple[Quantities, list[Quantities]]:
    """Return the meter and its phases, without values if a split-phase storage meter has lost a phase."""
    if meter.measurement_type != "storage" or meter.phase_mode != "split" or len(channels) != 2:
        return total, channels
    lost = [
        not phase.voltage and not phase.energy_delivered and not phase.energy_received for phase in channels
    ]
    if lost[0] == lost[1] or total.energy_delivered != channels[lost.index(False)].energy_delivered:
        return total, channels
    unknown = type(total)()
    return unknown, [unknown if is_lost else phase for is_lost, phase in zip(lost, channels, strict=True)]


def maximum_power(voltage: float | None, current: float | None) -> float:
    """Return the power (W, VA or var) that voltage and current can carry; infinity if one is unknown."""
    if voltage is None or current is None:
        return math.inf
    return max(_ROUGH, _IMPOSSIBLE * voltage * abs(current))


def is_copied(phase: Quantities, others: Iterable[Quantities]) -> bool:
    """Return whether a phase shows another's voltage and current, and had a power that these cannot carry."""
    if not phase.voltage or not phase.current or phase.active_power is not None:
        return False
    return any((phase.voltage, phase.current) == (other.voltage, other.current) for other in others)


def grid_power(power: float | None, *, grid_connected: bool | None) -> float | None:
    """Return the power of the grid meter (W); None off grid, where it measures a generator."""
    return None if grid_connected is False and power is not None and abs(power) > _ROUGH else power


def believable_today(today: float | None, lifetime: float | None, rated_power: float | None) -> float | None:
    """Return today's energy (Wh) if plausible: less than the lifetime's, at most a day at rated power (W).

    If the rated power is unknown, only the lifetime limits it.
    """
    if today is None or lifetime is None or not 0 <= today < lifetime:
        return None
    return None if rated_power is not None and today > _DAY * rated_power else today
