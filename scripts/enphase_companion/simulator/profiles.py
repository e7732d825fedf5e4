"""The gateways that can be simulated: what is installed, which firmware runs, and its bugs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from string import ascii_letters

from .battery import Battery

#: What firmware makes of commands, by name: some of QUIRKS.
QUIRKS_OF_COMMANDS = {
    "opt-schedules": "opt_schedules is on: the battery controller ignores a written mode (8.2.42)",
    "local-writes-ignored": "the battery controller ignores the stored tariff document (8.3.6086)",
    "scheduler-stuck": "charging from the grid is allowed but does not begin before the mode is changed",
    "cloud-writes-back": "ten minutes after a local command the cloud restores the old values",
    "reserve-limited": "a written reserve is limited to 10 to 80 %",
    "no-grid-charging": "the site's grid profile forbids charging from the grid: it is set back to false",
    "slow-relay": "the main relay takes 28 s to open, and then says 'open synchronized' (8.3.6086)",
    "contacts-read-open": "for a minute after a change of settings each NC contact reads open (8.3.6086)",
    "owner-refused": "commands are for installers: an owner's token gets 401",
    "generator-always-charges": "charge_from_generator is set back to true (8.3.5169)",
}
#: Firmware bugs by name, with the firmware where each was seen. Bugs of all gateways are always present:
#: three channels for each meter, a whole meter's voltage as the sum of its phases', device data that ends at
#: fifty devices, a colon in the key of the batteries' power; and on 7.0 to 8.2.127 a sum over the
#: microinverters in /production.json that is modulo 2^32 J.
QUIRKS = {
    "meters-404": "the meter endpoints do not exist instead of being empty",
    "meters-401": "the meter endpoints reject every token (standard gateways)",
    "ensemble-401": "the battery endpoints reject every token (early 7)",
    "unlisted-meter": "the readings include a meter that is not in the meter list (8.3)",
    "unknown-meter": "a meter of an unknown type that measures the home like a total-consumption meter",
    "disabled-meter": "a disabled meter keeps reporting noise",
    "unwired-phases": "the meter list counts three phases although fewer are wired (7.3.466)",
    "third-channel-mirrors": "the third channel of split phase repeats the storage meter's second (8.2.127)",
    "total-is-net": "/production.json gives net consumption as total consumption (8.3.5433)",
    "today-is-lifetime": "/production.json and /api/v1/production give lifetime energy as today's (8.3.5433)",
    "power-factors-added": "the readings' total power factor is the sum over the phases (8.3)",
    "no-apparent-energy": "the readings' apparent energy stays close to 0 (8.3)",
    "reports-netted": "/ivp/meters/reports nets the grid's energies: nothing is exported (8.3.5169)",
    "no-production-data": "/api/v1/production repeats old values (8.2.4264 without production meter)",
    "empty-totals": "/api/v1/production reports 0 Wh (8.3.5422 without meters)",
    "second-inverter": "an inverter that no meter measures: the home seems to consume less, or to produce",
    "storage-loses-phase": "every fifth minute one phase of the storage meter is all zero (8.3.6087)",
    "meters-wrap": "ten minutes after the start the meters' energy counters wrap at 2^32 Wh",
    "inverter-wraps": "ten minutes after the start a microinverter's counter wraps at 2^32 J (1.19 MWh)",
    "zeros-after-power-cut": "for two minutes after a restart all values are 0, with status 200",
    "nightly-silence": "from 23:00 to 23:05 house time the gateway answers no requests (8.3)",
    "no-device-data": "there is no device data of microinverters (7)",
    "empty-device-data": "device data lists no microinverter",
    "unknown-after-restart": "two minutes after a restart batteries' temperatures are 'unknown' (8.3.6086)",
    "removed-inverters": "device data keeps two removed microinverters; the last has not reported yet",
    "inverters-wrap": "every microinverter's counter is modulo 2^32 J (1.19 MWh)",
    **QUIRKS_OF_COMMANDS,
}

PRODUCTION, NET, TOTAL, STORAGE = "production", "net-consumption", "total-consumption", "storage"


class Reports(Enum):
    """What a meter's entry in the readings holds."""

    MEASURED = "what flows"
    NOISE = "next to nothing: no current transformer is connected"
    ZEROS = "zeros"
    NEVER = "zeros, and no time stamp either"


@dataclass(frozen=True)
class Meter:
    """One meter of a gateway."""

    eid: int
    measurement_type: str
    reports: Reports = Reports.MEASURED
    listed: bool = True  #: False: in the readings only, as firmware 8.3 does
    around: str = ""  #: the measured flow, as another meter's type, if the own type is unknown

    @property
    def enabled(self) -> bool:
        """Whether the meter list marks the meter as enabled."""
        return self.reports is Reports.MEASURED

    @property
    def measures(self) -> str:
        """Which of the house's flows it measures, by the type of the meter that is meant for it."""
        return self.around or self.measurement_type


@dataclass(frozen=True)
class Contact:
    """A dry contact of a System Controller and the load that it switches, if any."""

    id: str  #: NC1, NC2: normally closed; NO1, NO2: normally open
    load_name: str = ""
    share: float = 0.0  #: what the load draws while it is on, as a share of the household's power

    @property
    def normally_closed(self) -> bool:
        """Whether the contact is closed until somebody opens it."""
        return self.id.startswith("NC")


@dataclass(frozen=True)
class Wiring:
    """The phases of a gateway."""

    mode: str  #: phase mode in the meter list: single, split or three
    wired: int  #: phases with a conductor
    counted: int  #: phases by the meter list


@dataclass(frozen=True)
class Profile:
    """A gateway and the devices connected to it."""

    name: str
    firmware: str
    wiring: Wiring
    meters: tuple[Meter, ...] = ()
    battery: Battery | None = None
    quirks: frozenset[str] = frozenset()
    inverters: int = 12
    contacts: tuple[Contact, ...] = tuple(map(Contact, ("NC1", "NC2", "NO1", "NO2")))
    generator: float = 0.0  #: W of the standby generator; 0: there is none
    time_of_use: bool = False  #: whether the tariff's prices depend on season, day and hour

    @property
    def has_controller(self) -> bool:
        """Whether a System Controller is there: it comes with IQ Batteries that have no IQ Meter Collar."""
        battery = self.battery
        return battery is not None and battery.kind == "encharge" and not battery.collar

    @property
    def phase_mode(self) -> str:
        """The phase mode in the meter list: single, split or three."""
        return self.wiring.mode

    @property
    def wired(self) -> int:
        """Phases with a conductor."""
        return self.wiring.wired

    @property
    def phase_count(self) -> int:
        """Phases by the meter list."""
        return self.wiring.counted

    @property
    def metered(self) -> bool:
        """Whether the gateway has metering hardware."""
        return bool(self.meters)

    @property
    def uses_tokens(self) -> bool:
        """Whether the firmware requires tokens (7 or later)."""
        return self.version >= (7,)

    @property
    def version(self) -> tuple[int, ...]:
        """The numbers of the firmware's version."""
        return tuple(map(int, self.firmware.lstrip(ascii_letters).split(".")))

    @property
    def voltage(self) -> float:
        """Volts between a phase and neutral."""
        return 120.0 if self.phase_mode == "split" else 230.0

    @property
    def frequency(self) -> float:
        """Hertz of the grid."""
        return 60.0 if self.phase_mode == "split" else 50.0

    def measures(self, measurement_type: str) -> bool:
        """Whether an enabled meter of this type is there."""
        return any(meter.enabled and meter.measurement_type == measurement_type for meter in self.meters)

    @property
    def description(self) -> str:
        """The description for --list."""
        parts = [{"single": "one phase", "split": "split phase", "three": "three phases"}[self.phase_mode]]
        if self.wired < self.phase_count:
            parts[0] += f" of which {self.wired} wired"
        for enabled, word in ((True, "metered"), (False, "disabled")):
            kinds = [
                meter.measurement_type for meter in self.meters if meter.listed and meter.enabled is enabled
            ]
            if kinds:
                parts.append(f"{' and '.join(kinds)} {word}")
        parts.append(f"{self.inverters} microinverters")
        if self.battery is not None:
            parts.append(
                f"{self.battery.units} {'IQ' if self.battery.kind == 'encharge' else 'AC'} Batteries"
            )
            parts += ["IQ Meter Collar, IQ Combiner 6C"] if self.battery.collar else []
        loads = [contact.load_name for contact in self.contacts if contact.load_name]
        parts += [f"dry contacts for {' and '.join(loads)}"] if loads else []
        parts += ["generator"] if self.generator else []
        parts += ["prices by time of use"] if self.time_of_use else []
        parts += [name for name in QUIRKS if name in self.quirks]
        return ", ".join([*(parts if self.meters else ["no meters", *parts]), self.firmware])


def find(name: str) -> Profile:
    """Return the profile of a name with the quirks that follow it: "battery+nightly-silence".

    Raise ValueError for an unknown profile or quirk.
    """
    base, *quirks = name.split("+")
    if base not in PROFILES:
        raise ValueError(f"unknown profile {base!r}: choose one of {', '.join(PROFILES)}")
    for quirk in quirks:
        if quirk not in QUIRKS:
            raise ValueError(f"unknown quirk {quirk!r}: choose one of {', '.join(QUIRKS)}")
    added = frozenset(quirks) - PROFILES[base].quirks
    return replace(_apply_quirks(added, PROFILES[base]), name=name, quirks=PROFILES[base].quirks | added)


def _apply_quirks(quirks: frozenset[str], profile: Profile) -> Profile:
    """Return the profile with the devices that these quirks change."""
    for quirk in sorted(quirks & _CHANGES.keys()):
        profile = _CHANGES[quirk](profile)
    return profile


def _add_meter(meter: Meter) -> Callable[[Profile], Profile]:
    return lambda profile: replace(profile, meters=(*profile.meters, meter))


#: The quirks that change the installed or listed devices.
_CHANGES: dict[str, Callable[[Profile], Profile]] = {
    "unlisted-meter": _add_meter(Meter(1023410688, "", Reports.ZEROS, listed=False)),
    "unknown-meter": _add_meter(Meter(704645376, "heat-pump", around=TOTAL)),
    "disabled-meter": _add_meter(Meter(704645632, "backfeed", Reports.NOISE)),
    "unwired-phases": lambda profile: replace(profile, wiring=Wiring("three", profile.wired, 3)),
}

_ONE, _SPLIT, _THREE = Wiring("single", 1, 1), Wiring("split", 2, 2), Wiring("three", 3, 3)
_PRODUCTION = Meter(704643328, PRODUCTION)
_TOTAL = Meter(704643584, TOTAL)
_GRID = (_PRODUCTION, Meter(704643584, NET))
_GRID_AND_STORAGE = (*_GRID, Meter(704643840, STORAGE))
_UNCONNECTED = tuple(replace(meter, reports=Reports.NOISE) for meter in _GRID)
#: Further meters that firmware 8.3 lists.
_MANY = (
    Meter(704643840, STORAGE, Reports.ZEROS),
    Meter(704644352, "backfeed", Reports.NEVER),
    Meter(704644608, "load", Reports.NEVER),
    Meter(704644864, "evse", Reports.NEVER),
    Meter(704645120, "pv3p", Reports.NEVER),
)
_IQ = Battery(units=3, unit_capacity=5000, unit_power=1280)
_AC = Battery(units=4, unit_capacity=1200, unit_power=270, kind="acb")
_GENERATOR = 9000.0
_LIES_OF_8_3 = frozenset(
    {"unlisted-meter", "total-is-net", "today-is-lifetime", "power-factors-added", "no-apparent-energy"}
)

_WAYS_OF_8_3_6086 = frozenset({"local-writes-ignored", "slow-relay", "contacts-read-open"})
_LOADS = (
    Contact("NC1", "air conditioner", 0.3),
    Contact("NC2", "dryer", 0.2),
    Contact("NO1", "pool pump", 0.25),
    Contact("NO2"),
)

_ROWS = (
    # name, firmware, wiring, meters, battery
    Profile("no-meters", "D7.6.175", _ONE),
    Profile("production-only", "D7.6.175", _ONE, (_PRODUCTION,)),
    Profile("single-phase", "D7.6.175", _ONE, _GRID),
    Profile("split-phase", "D8.2.4264", _SPLIT, _GRID),
    Profile("three-phase", "D8.2.4264", _THREE, _GRID),
    Profile("battery", "D8.2.4264", _SPLIT, _GRID_AND_STORAGE, _IQ),
    Profile("no-meters-404", "D7.6.175", _ONE, quirks=frozenset({"meters-404"})),
    Profile("no-meters-8.3", "D8.3.5422", _ONE, quirks=frozenset({"empty-totals"})),
    Profile("meters-disabled", "D8.2.4264", _THREE, _UNCONNECTED, quirks=frozenset({"no-production-data"})),
    Profile("one-of-three", "D7.3.466", _ONE, _GRID, quirks=frozenset({"unwired-phases"})),
    Profile("total-consumption", "D8.2.4264", _THREE, (_PRODUCTION, _TOTAL)),
    Profile("many-meters", "D8.3.5433", _SPLIT, (_PRODUCTION, _TOTAL, *_MANY), quirks=_LIES_OF_8_3),
    Profile("battery-without-meter", "D8.2.4264", _THREE, _GRID, _IQ),
    Profile(
        "storage-loses-phase", "D8.3.6087", _SPLIT, _GRID_AND_STORAGE, _IQ, frozenset({"storage-loses-phase"})
    ),
    Profile("meter-collar", "D8.3.1598", _SPLIT, _GRID_AND_STORAGE, replace(_IQ, collar=True)),
    Profile(
        "generator",
        "D8.2.4398",
        _SPLIT,
        _GRID_AND_STORAGE,
        _IQ,
        contacts=_LOADS,
        generator=_GENERATOR,
        time_of_use=True,
    ),
    Profile(
        "cloud-controlled",
        "D8.3.6086",
        _SPLIT,
        _GRID_AND_STORAGE,
        _IQ,
        _WAYS_OF_8_3_6086,
        contacts=_LOADS,
        time_of_use=True,
    ),
    Profile("ac-batteries", "D7.6.175", _ONE, _GRID, _AC),
    Profile("sixty-inverters", "D8.2.4264", _THREE, _GRID, inverters=60),
    Profile("old-firmware", "D5.0.62", _ONE, _GRID),
)

#: The named profiles; `find` also combines each with quirks.
PROFILES: dict[str, Profile] = {row.name: _apply_quirks(row.quirks, row) for row in _ROWS}
