"""Which gateways can be simulated: one row each, saying what is installed and which firmware runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from .battery import Battery

PRODUCTION, NET, TOTAL, STORAGE = "production", "net-consumption", "total-consumption", "storage"

#: What a firmware gets wrong, by name; profiles list those they have.
QUIRKS = {
    "meters-404": "the meter endpoints do not exist instead of being empty",
    "total-is-net": "/production.json gives net consumption as total consumption (8.3.5433)",
    "today-is-lifetime": "/production.json and /api/v1/production give lifetime energy as today's (8.3.5433)",
    "power-factors-added": "the readings' total power factor is the sum over the phases (8.3)",
    "no-apparent-energy": "the readings' apparent energy stays next to nothing (8.3)",
    "storage-loses-phase": "every fifth minute one phase of the storage meter is all zero (8.3.6087)",
    "no-production-data": "/api/v1/production stays at what it once was (8.2.4264 without production meter)",
}


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

    @property
    def enabled(self) -> bool:
        """Whether the meter list says so: a meter that measures is enabled."""
        return self.reports is Reports.MEASURED


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A gateway and what hangs on it."""

    name: str
    description: str
    firmware: str
    meters: tuple[Meter, ...] = ()
    phase_mode: str = "three"  #: what the meter list says: single, split or three
    wired: int = 3  #: phases with a conductor
    phase_count: int | None = None  #: what the meter list says; None: as wired
    inverters: int = 12
    battery: Battery | None = None
    quirks: frozenset[str] = field(default_factory=frozenset)

    @property
    def metered(self) -> bool:
        """Whether the gateway has metering hardware."""
        return bool(self.meters)

    @property
    def speaks_tokens(self) -> bool:
        """Whether the firmware is of the kind that wants tokens: 7 or later."""
        return int(self.firmware.lstrip("DR").split(".")[0]) >= 7

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


_PRODUCTION = Meter(704643328, PRODUCTION)
_NET = Meter(704643584, NET)
_TOTAL = Meter(704643584, TOTAL)
_STORAGE = Meter(704643840, STORAGE)
_UNCONNECTED = (Meter(704643328, PRODUCTION, Reports.NOISE), Meter(704643584, NET, Reports.NOISE))
#: What firmware 8.3 lists besides, and the entry of its readings that the list does not know.
_MANY = (
    Meter(704643840, STORAGE, Reports.ZEROS),
    Meter(704644352, "backfeed", Reports.NEVER),
    Meter(704644608, "load", Reports.NEVER),
    Meter(704644864, "evse", Reports.NEVER),
    Meter(704645120, "pv3p", Reports.NEVER),
    Meter(1023410688, "", Reports.ZEROS, listed=False),
)
_IQ_BATTERIES = Battery(units=3, unit_capacity=5000, unit_power=1280)
_AC_BATTERIES = Battery(units=4, unit_capacity=1200, unit_power=270, kind="acb")

_ROWS = (
    Profile(
        name="no-meters",
        description="standard gateway: microinverters only",
        firmware="D7.6.175",
        phase_mode="single",
        wired=1,
    ),
    Profile(
        name="production-only",
        description="production meter, one phase",
        firmware="D7.6.175",
        meters=(_PRODUCTION,),
        phase_mode="single",
        wired=1,
    ),
    Profile(
        name="single-phase",
        description="production and net meters, one phase",
        firmware="D7.6.175",
        meters=(_PRODUCTION, _NET),
        phase_mode="single",
        wired=1,
    ),
    Profile(
        name="split-phase",
        description="production and net meters, split phase (120/240 V)",
        firmware="D8.2.4264",
        meters=(_PRODUCTION, _NET),
        phase_mode="split",
        wired=2,
    ),
    Profile(
        name="three-phase",
        description="production and net meters, three phases",
        firmware="D8.2.4264",
        meters=(_PRODUCTION, _NET),
    ),
    Profile(
        name="battery",
        description="production, net and storage meters, split phase, three IQ Batteries",
        firmware="D8.2.4264",
        meters=(_PRODUCTION, _NET, _STORAGE),
        phase_mode="split",
        wired=2,
        battery=_IQ_BATTERIES,
    ),
    Profile(
        name="no-meters-404",
        description="as no-meters, but the meter endpoints do not exist",
        firmware="D7.6.175",
        phase_mode="single",
        wired=1,
        quirks=frozenset({"meters-404"}),
    ),
    Profile(
        name="meters-disabled",
        description="metering gateway without current transformers: meters disabled, reporting noise",
        firmware="D8.2.4264",
        meters=_UNCONNECTED,
        quirks=frozenset({"no-production-data"}),
    ),
    Profile(
        name="one-of-three",
        description="production and net meters set to three phases, one of them wired",
        firmware="D7.3.466",
        meters=(_PRODUCTION, _NET),
        wired=1,
        phase_count=3,
    ),
    Profile(
        name="total-consumption",
        description="production and total-consumption meters, three phases: the grid is not metered",
        firmware="D8.2.4264",
        meters=(_PRODUCTION, _TOTAL),
    ),
    Profile(
        name="many-meters",
        description="firmware 8.3: seven meter types, an unknown meter, and its lies about totals and today",
        firmware="D8.3.5433",
        meters=(_PRODUCTION, _TOTAL, *_MANY),
        phase_mode="split",
        wired=2,
        quirks=frozenset({"total-is-net", "today-is-lifetime", "power-factors-added", "no-apparent-energy"}),
    ),
    Profile(
        name="battery-without-meter",
        description="production and net meters, three phases, three IQ Batteries without a storage meter",
        firmware="D8.2.4264",
        meters=(_PRODUCTION, _NET),
        battery=_IQ_BATTERIES,
    ),
    Profile(
        name="storage-loses-phase",
        description="as battery, with firmware that now and then loses a phase of the storage meter",
        firmware="D8.3.6087",
        meters=(_PRODUCTION, _NET, _STORAGE),
        phase_mode="split",
        wired=2,
        battery=_IQ_BATTERIES,
        quirks=frozenset({"storage-loses-phase"}),
    ),
    Profile(
        name="ac-batteries",
        description="production and net meters, one phase, four AC Batteries",
        firmware="D7.6.175",
        meters=(_PRODUCTION, _NET),
        phase_mode="single",
        wired=1,
        battery=_AC_BATTERIES,
    ),
    Profile(
        name="sixty-inverters",
        description="production and net meters, three phases, more microinverters than device data lists",
        firmware="D8.2.4264",
        meters=(_PRODUCTION, _NET),
        inverters=60,
    ),
    Profile(
        name="old-firmware",
        description="firmware 5, from before tokens",
        firmware="D5.0.62",
        meters=(_PRODUCTION, _NET),
        phase_mode="single",
        wired=1,
    ),
)

PROFILES: dict[str, Profile] = {profile.name: profile for profile in _ROWS}
