"""Which gateways can be simulated: one row each, saying what is installed and which firmware runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from .battery import Battery

PRODUCTION, NET, TOTAL, STORAGE = "production", "net-consumption", "total-consumption", "storage"


@dataclass(frozen=True)
class Meter:
    """One entry of the gateway's meter list."""

    eid: int
    measurement_type: str
    enabled: bool = True
    listed: bool = True  # False: in the readings only, as newer firmware does


def _production(enabled: bool = True) -> Meter:
    return Meter(704643328, PRODUCTION, enabled)


def _consumption(measurement_type: str = NET, enabled: bool = True) -> Meter:
    return Meter(704643584, measurement_type, enabled)


def _storage(enabled: bool = True) -> Meter:
    return Meter(704643840, STORAGE, enabled)


@dataclass(frozen=True)
class Profile:
    """A gateway and what hangs on it."""

    name: str
    description: str
    firmware: str
    meters: tuple[Meter, ...] = ()
    phase_mode: str = "three"  # what /ivp/meters says: single, split or three
    wired: int = 3  # phases with a conductor
    phase_count: int | None = None  # what /ivp/meters says; None: as wired
    inverters: int = 12
    battery: Battery | None = None
    quirks: frozenset[str] = field(default_factory=frozenset)

    @property
    def metered(self) -> bool:
        """Whether the gateway has metering hardware at all."""
        return bool(self.meters)

    @property
    def voltage(self) -> float:
        """Volts between a phase and neutral."""
        return 120.0 if self.phase_mode == "split" else 230.0

    @property
    def frequency(self) -> float:
        """Hertz of the grid."""
        return 60.0 if self.phase_mode == "split" else 50.0


_BATTERY = Battery(units=3, unit_capacity=5000, unit_power=3840 / 3)

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("no-meters", "standard gateway: inverters only", "D8.2.4264", wired=1, phase_mode="single"),
        Profile(
            "production-only", "production meter, one phase", "D7.6.175", (_production(),), "single", wired=1
        ),
        Profile(
            "single-phase", "production and net, one phase", "D7.6.175",
            (_production(), _consumption()), "single", wired=1,
        ),
        Profile(
            "split-phase", "production and net, split phase", "D8.2.4264",
            (_production(), _consumption()), "split", wired=2,
        ),
        Profile("three-phase", "production and net, three phases", "D8.2.4264", (_production(), _consumption())),
        Profile(
            "battery", "production, net and storage, split phase, three batteries", "D8.2.4264",
            (_production(), _consumption(), _storage()), "split", wired=2, battery=_BATTERY,
        ),
    )
}  # fmt: skip
