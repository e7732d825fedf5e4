"""Known firmware bugs: name, firmware, source and workaround, in one place.

`KNOWN` is the list of docs/quirks.md; the functions are the workarounds.
"""

from __future__ import annotations

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
        "Disabled meters go on reporting",
        "all",
        "recordings of 8.2.4264 and 8.3.5433",
        "Only enabled meters are read.",
    ),
    Quirk(
        "Meters that /ivp/meters does not list",
        "all",
        "recording of 8.3.5433: eid 1023410688",
        "Their readings are left out; a new one means that the list of meters has changed.",
    ),
    Quirk(
        "Phases that are counted but not wired",
        "all",
        "recording of 7.3.466: 6 V and 11 V on two of three phases",
        "A phase below 50 V is not wired: nothing is shown of it.",
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
        "The mean of the wired phases is given. Split phase keeps its sum: 240 V is what is there.",
    ),
    Quirk(
        "A meter's power factor is the sum of its phases'",
        "8.3",
        "recording of 8.3.5433: 1.55",
        "Outside -1 to 1 it is worked out as active by apparent power.",
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
        "A phase's power is its instantaneousDemand, which does; elsewhere both are the same.",
    ),
    Quirk(
        "After a power cut the power of a meter is its energy counter",
        "8.3.5167",
        "5,284,029 W of production at 240 V and 12 A",
        "A power beyond 1 MW, or beyond 1.5 times volts by amperes, is unknown; so is what is made from it.",
    ),
    Quirk(
        "A phase of one meter shows voltage and current of another's, and a power that these cannot carry",
        "8.2.127",
        "recording: the storage meter's first phase says -2115 W at 1130 VA, which are the net meter's",
        "Power and current of that phase and of the whole meter are unknown; so is what is made from them.",
    ),
    Quirk(
        "A frequency of 0 Hz at an enabled meter",
        "not known",
        "120 V beside it",
        "It is unknown: no grid has 0 Hz.",
    ),
    Quirk(
        "A generator that runs counts as grid import though the grid is off",
        "all with a System Controller",
        "the net consumption meter measures whatever feeds the home",
        "While the grid is off and power flows there, grid power is unknown; imported energy counts it.",
    ),
    Quirk(
        "The grid_state of an IQ Meter Collar stays on_grid while the site is off the grid",
        "8.3",
        "core pull request 153766",
        "Grid connection comes from its admin_state_str: ENCMN_MDE_ON_GRID or _OFF_GRID, else unknown.",
    ),
    Quirk(
        "Reports cannot give exported energy",
        "8.3.5169",
        "net consumption's received energy is 0 and the delivered is netted",
        "All meter values come from /ivp/meters/readings.",
    ),
    Quirk(
        "Total consumption equals net consumption in /production.json",
        "8.3.5433",
        "pyenphase issues 467 and 477",
        "Consumption is never taken from there; the meter's own reading is right.",
    ),
    Quirk(
        "Today's energy equals the lifetime's, or never resets",
        "8.3.5169 to 8.3.5528, others",
        "core issues 172111 and 161892",
        "Shown by the console only where it is believable, else as unknown.",
    ),
    Quirk(
        "Energy counters fall: 2^32 and 1.19 MWh wraps, zeros after a power cut, meters replaced",
        "all",
        "core issues 176707, 140602 and 120091",
        "Wraps, one or more, go on at once. Else the last value is held; after a lasting fall, it goes on.",
    ),
    Quirk(
        "The microinverters' sum in /production.json is modulo 2^32 J",
        "7.0 to 8.2.127",
        "recording of 7.6.175: 174,174 Wh where 6,139,406 Wh were made",
        "Without a production meter, lifetime energy is the total of /api/v1/production.",
    ),
    Quirk(
        "The totals of /api/v1/production are 0, or stand still, without a production meter",
        "8.3.5422; with meters that are not connected 8.2.4264 and later",
        "recording of 8.2.4264: 1583 Wh; pyenphase",
        "The microinverters' sum in /production.json counts there. Another source adds no energy.",
    ),
    Quirk(
        "A silent microinverter or battery keeps its last values for years",
        "all",
        "microinverters last heard of in 2018, or 26 hours ago",
        "65 minutes after its last report, by the gateway's clock, what it does is unknown, and in no sum.",
    ),
    Quirk(
        "The most that each microinverter ever reported is 0",
        "not known",
        "58 W beside it",
        "The most is unknown, and does not bound today's energy.",
    ),
    Quirk(
        "Max_energy of AC Batteries is less than they hold",
        "not known",
        "412 Wh beside 446 Wh available at 18 %",
        "Their capacity is unknown then.",
    ),
    Quirk(
        "/ivp/pdm/device_data stops at 50 devices",
        "8",
        "pyenphase pull request 305",
        "Microinverters are read from /api/v1/production/inverters, which lists all.",
    ),
    Quirk(
        "Endpoints that a gateway lacks answer 401, or an error instead of a list",
        "7, standard gateways",
        "pyenphase",
        "After a new log-in that changes nothing, meters or batteries count as absent.",
    ),
    Quirk(
        "AC Batteries stand among the microinverters, on some gateways",
        "8.2.4382",
        "pyenphase pull request 428",
        "They are told apart by device type, and read from /production.json, where every gateway has them.",
    ),
    Quirk(
        "AC Batteries are counted where there are none",
        "not known",
        "pyenphase",
        "They count only where the gateway also says how full they are.",
    ),
    Quirk(
        'The key of /ivp/ensemble/power is "devices:", with the colon',
        "all",
        "recordings",
        "It is read with the colon and without.",
    ),
    Quirk(
        "A gateway lists a neighbour's microinverters, which it hears over the power line",
        "all",
        "users' reports: they never reported to it, or not for long",
        "Those that never reported to it are left out; of two gateways, the one they report to has them.",
    ),
    Quirk(
        "Silence of some minutes every night about 23:00",
        "8.3",
        "core issue 156189",
        "Waited for; nothing is made up meanwhile.",
    ),
)

#: V: a live phase has 100 V or more anywhere; noise on open terminals was seen up to 12 V.
_WIRED = 50

#: Times volts by amperes: no power exceeds these, however unevenly a meter takes the three.
_IMPOSSIBLE = 1.5

#: W: below some 0.1 A a meter's current is rough, so that its power may be the truer of the two.
_ROUGH = 25

#: Hours of a day at rated power: no array makes more.
_DAY = 24


def is_wired(phase: Quantities) -> bool:
    """Return whether a phase is connected, by its voltage; unknown voltage is taken for connected."""
    return phase.voltage is None or phase.voltage >= _WIRED


def meter_voltage(total: Quantities, channels: Sequence[Quantities], *, is_three_phase: bool) -> float | None:
    """Return a whole meter's voltage: the mean of its wired phases if there are three, else as reported."""
    wired = [phase.voltage for phase in channels if phase.voltage is not None and is_wired(phase)]
    if not is_three_phase or len(wired) < 2:
        return total.voltage
    return sum(wired) / len(wired)


def power_factor(total: Quantities) -> float | None:
    """Return a whole meter's power factor, worked out where the firmware added up those of the phases."""
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
    nothing = type(total)()
    return nothing, [nothing if gone else phase for gone, phase in zip(lost, channels, strict=True)]


def can_carry(voltage: float | None, current: float | None, power: float | None) -> bool:
    """Return whether these volts and amperes can carry a power (W, VA or var); what is unknown can be."""
    if voltage is None or current is None or power is None:
        return True
    return abs(power) <= max(_ROUGH, _IMPOSSIBLE * voltage * abs(current))


def is_copied(phase: Quantities, others: Iterable[Quantities]) -> bool:
    """Return whether a phase shows another's voltage and current, and had a power that these cannot carry."""
    if not phase.voltage or not phase.current or phase.active_power is not None:
        return False
    return any((phase.voltage, phase.current) == (other.voltage, other.current) for other in others)


def grid_power(power: float | None, *, grid_connected: bool | None) -> float | None:
    """Return what the grid's meter says (W); None off grid, where what flows there is a generator's."""
    return None if grid_connected is False and power is not None and abs(power) > _ROUGH else power


def believable_today(today: float | None, lifetime: float | None, rated_power: float | None) -> float | None:
    """Return today's energy (Wh) where it can be: below the lifetime's, at most a day at rated power (W).

    Where the rated power is not known, the lifetime alone bounds it.
    """
    if today is None or lifetime is None or not 0 <= today < lifetime:
        return None
    return None if rated_power is not None and today > _DAY * rated_power else today
