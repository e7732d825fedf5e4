"""The result of a command: what the gateway reported before and after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .storage import is_same

#: A value that a gateway reports: a mode, a level in %, a state.
Value = str | float | bool | None


class Command(StrEnum):
    """The kind of a command."""

    STORAGE = "storage"
    GRID_CONNECTION = "grid_connection"
    DRY_CONTACT = "dry_contact"
    DRY_CONTACT_SETTINGS = "dry_contact_settings"
    GENERATOR = "generator"
    GENERATOR_CHARGING = "generator_charging"
    AC_BATTERY_SLEEP = "ac_battery_sleep"
    PRODUCTION = "production"


class Outcome(StrEnum):
    """What became of a command."""

    #: The gateway reports what was requested.
    HELD = "held"
    #: The gateway does not report it yet, which is normal at first.
    PENDING = "pending"
    #: The gateway accepted the command, but nothing changed.
    IGNORED = "ignored"
    #: The gateway reports a third value: neither that of before nor the requested one.
    REFUSED = "refused"
    #: The gateway reported what was requested, but does no longer.
    TAKEN_BACK = "taken_back"


class Reason(StrEnum):
    """Why a command did not hold, or what to know although it did."""

    #: Enphase's schedules replace the mode (`opt_schedules`).
    OPTIMIZED_SCHEDULES = "optimized_schedules"
    #: The document has the requested values, but the battery controller does not use it: use the cloud.
    LOCAL_WRITES_IGNORED = "local_writes_ignored"
    #: The document does not have the requested values: the site's grid profile may not allow them.
    NOT_STORED = "not_stored"
    #: The document has other values again: Enphase's cloud, or another program, wrote it.
    REWRITTEN = "rewritten"
    #: Charging is allowed, but the scheduler does not charge: change the mode and back.
    STUCK_SCHEDULER = "stuck_scheduler"
    #: In mode `backup`, the reserve is 100 %; another one is stored for the other modes.
    FULL_RESERVE = "full_reserve"
    #: The cloud has the command, but the gateway has not confirmed it to the cloud yet.
    CLOUD_PENDING = "cloud_pending"
    #: After a change of settings, all NC contacts are reported as open for up to 90 s.
    CONTACTS_SETTLE = "contacts_settle"


class Evidence(StrEnum):
    """What proves the outcome of a command."""

    #: The device that executes it.
    DEVICE = "device"
    #: The document that was written; no device reports this value.
    DOCUMENT = "document"
    #: Enphase's cloud; nothing on the gateway reports this value.
    CLOUD = "cloud"


class Way(StrEnum):
    """How a command reached the gateway."""

    LOCAL = "local"
    CLOUD = "cloud"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """A command, and the values that the gateway reported before and after it.

    The keys of the three mappings are those of the command: see `Control`.
    """

    command: Command
    #: The dry contact or the battery's serial number; None for the whole site.
    device: str | None = None
    #: What the command asks for.
    requested: Mapping[str, Value]
    #: What the gateway reported before the command.
    before: Mapping[str, Value]
    #: What it reported last.
    after: Mapping[str, Value]
    #: Whether the change holds.
    outcome: Outcome = Outcome.PENDING
    #: Why it does not, where the gateway tells it.
    reason: Reason | None = None
    #: What the outcome rests on.
    evidence: Evidence = Evidence.DEVICE
    #: How the command was sent.
    way: Way = Way.LOCAL
    #: Whether this is the second proof, a minute after the command.
    is_final: bool = False
    #: Monotonic seconds of the event loop.
    sent_at: float = field(default=0.0, repr=False)

    @property
    def missing(self) -> tuple[str, ...]:
        """The requested keys that the gateway does not report as requested."""
        return tuple(name for name in self.requested if not self.holds(name))

    @property
    def also_changed(self) -> dict[str, tuple[Value, Value]]:
        """By key that was not requested: the values before and after, where they differ."""
        return {
            name: (self.before.get(name), value)
            for name, value in self.after.items()
            if name not in self.requested and not is_same(self.before.get(name), value)
        }

    def holds(self, name: str) -> bool:
        """Whether the gateway reports what was requested for a key."""
        value = self.after.get(name)
        if is_same(value, self.requested[name]):
            return True
        # In mode backup, the controller keeps everything, whatever the reserve is (Reason.FULL_RESERVE).
        return name == "reserve" and self.after.get("mode") == "backup" and is_same(value, 100.0)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as objects for JSON."""
        return {
            "command": self.command.value,
            "device": self.device,
            "requested": dict(self.requested),
            "before": dict(self.before),
            "after": dict(self.after),
            "also_changed": {
                name: {"before": before, "after": after}
                for name, (before, after) in self.also_changed.items()
            },
            "outcome": self.outcome.value,
            "reason": None if self.reason is None else self.reason.value,
            "evidence": self.evidence.value,
            "way": self.way.value,
            "final": self.is_final,
        }
