"""How the batteries are used: mode, reserve, shutdown level and charging from the grid.

The tariff document has what was last written to the gateway, which the battery controller may ignore;
/ivp/sc/sched and /ivp/ensemble/secctrl have what the controller uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from ..json_values import boolean, integer, json_object, number, text, texts

TARIFF = "/admin/lib/tariff"
SCHED = "/ivp/sc/sched"
SECCTRL = "/ivp/ensemble/secctrl"

#: %; the controller rounds to whole percent.
_ROUNDING = 1.0


class StorageMode(StrEnum):
    """The way in which IQ Batteries are used."""

    #: The house uses its own solar energy first.
    SELF_CONSUMPTION = "self-consumption"
    #: The batteries charge while energy is cheap, and discharge while it is expensive.
    ECONOMY = "economy"
    #: The batteries stay full for an outage.
    BACKUP = "backup"


#: Older firmware has another name for one mode.
_MODES = {**{mode.value: mode for mode in StorageMode}, "savings-mode": StorageMode.ECONOMY}


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """The storage settings of the tariff document: what was last written to the gateway."""

    mode: StorageMode | None = None
    #: % that is kept for outages.
    reserve: float | None = None
    #: % at which the batteries shut down.
    shutdown_level: float | None = None
    charge_from_grid: bool | None = None
    #: Whether Enphase's schedules replace `mode`; None before firmware 8.2.42.
    optimized_schedules: bool | None = None
    #: Whether the gateway has made its schedule from the document, which else is not used; None if unknown.
    is_scheduled: bool | None = None

    @classmethod
    def from_json(cls, answer: object) -> Self | None:
        """Parse the answer of /admin/lib/tariff; None without storage settings.

        Raises InvalidAnswerError if it has another structure.
        """
        whole = json_object(answer, TARIFF)
        settings = json_object(whole.get("tariff"), TARIFF).get("storage_settings")
        if not isinstance(settings, dict) or not settings:
            return None
        schedule = whole.get("schedule")
        # A recorded 8.3.5433 has a schedule of defaults without source; all older ones have "Tariff".
        source = schedule.get("source") if isinstance(schedule, dict) else None
        return cls(
            mode=_MODES.get(text(settings, "mode") or ""),
            reserve=number(settings, "reserved_soc", 0, 100),
            shutdown_level=number(settings, "very_low_soc", 0, 100),
            charge_from_grid=boolean(settings, "charge_from_grid"),
            optimized_schedules=boolean(settings, "opt_schedules"),
            is_scheduled=bool(source) if isinstance(source, str) else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """How the batteries are used: what the controller reports, else what the tariff document has.

    A value is None if unknown. `mode` is only in the document: it is None where the document is not used.
    """

    mode: StorageMode | None = None
    #: %; 100 in mode `backup`.
    reserve: float | None = None
    #: % at which the batteries shut down.
    shutdown_level: float | None = None
    #: Whether charging is allowed, not that the batteries charge.
    charge_from_grid: bool | None = None
    #: The names of the values above that the controller itself reports.
    from_controller: frozenset[str] = frozenset()
    #: The document as it is.
    document: StorageSettings | None = None
    #: None if unknown.
    has_batteries: bool | None = None
    #: % of all batteries.
    state_of_charge: float | None = None
    #: The scheduler's present mode by its code, such as "CG" (charge from grid); it may be outdated.
    scheduler_mode: str | None = None

    @classmethod
    def from_json(cls, tariff: object = None, sched: object = None, secctrl: object = None) -> Self:
        """Parse the answers of /admin/lib/tariff, /ivp/sc/sched and /ivp/ensemble/secctrl; None: missing.

        Raises InvalidAnswerError if one has another structure.
        """
        document = None if tariff is None else StorageSettings.from_json(tariff)
        schedule = {} if sched is None else json_object(sched, SCHED)
        sums = {} if secctrl is None else json_object(secctrl, SECCTRL)
        has_batteries = any(number(sums, key) for key in ("Enc_commissioned_capacity", "Max_energy"))
        if not has_batteries:
            # Without batteries, the sums do not follow the document.
            sums = {}
        known = {
            "reserve": number(sums, "configured_backup_soc", 0, 100),
            "shutdown_level": number(sums, "VLS_Limit", 0, 100),
            "charge_from_grid": boolean(schedule, "Charge From Grid Allowed"),
        }
        reported = {name: value for name, value in known.items() if value is not None}
        written = document or StorageSettings()
        values = {name: reported.get(name, getattr(written, name)) for name in known}
        return cls(
            mode=None if _is_unused(written, reported) else written.mode,
            **values,
            from_controller=frozenset(reported),
            document=document,
            has_batteries=None if secctrl is None else has_batteries,
            state_of_charge=number(sums, "ENC_agg_soc", 0, 100),
            scheduler_mode=_scheduler_mode(schedule),
        )

    @property
    def is_outdated(self) -> bool:
        """Whether the controller does not use the tariff document."""
        values = {name: getattr(self, name) for name in self.from_controller}
        return self.document is not None and _is_unused(self.document, values)

    @property
    def is_mode_confirmed(self) -> bool:
        """Whether the controller's reserve confirms the mode: a full one is that of mode `backup`."""
        is_full = self.mode is StorageMode.BACKUP
        return self.mode is not None and "reserve" in self.from_controller and is_full

    @property
    def is_scheduler_stuck(self) -> bool:
        """Whether the batteries do not charge from the grid although they are allowed to, and should.

        Seen after a gateway's reboot: changing the mode and back frees the scheduler.
        """
        return (
            self.charge_from_grid is True
            and self.state_of_charge is not None
            and self.reserve is not None
            and self.state_of_charge < self.reserve - _ROUNDING
            and self.scheduler_mode is not None
            and self.scheduler_mode != "CG"
        )


def _is_unused(document: StorageSettings, reported: Mapping[str, Any]) -> bool:
    """Return whether the controller, by the values that it reports, does not use the document."""
    for name, value in reported.items():
        expected = getattr(document, name)
        if name == "reserve" and document.mode is StorageMode.BACKUP:
            expected = 100.0
        if expected is not None and not is_same(expected, value):
            return True
    # A full reserve confirms mode backup, whatever the schedule was made from.
    return document.is_scheduled is False and not (
        document.mode is StorageMode.BACKUP and "reserve" in reported
    )


def is_same(one: object, other: object) -> bool:
    """Return whether two values are equal, but for the controller's rounding of percentages."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) < _ROUNDING
    return one == other


def _scheduler_mode(schedule: Mapping[str, Any]) -> str | None:
    """Return the code of the scheduler's mode; the index refers to a list such as "CG - Charge From Grid"."""
    modes, index = texts(schedule, "sched_mode_key"), integer(schedule, "acb_current_mode", 0)
    if index is None or index >= len(modes):
        return None
    return modes[index].partition(" - ")[0]
