"""Change the storage settings of the tariff document, and explain what became of a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ..cloud.battery import CloudSettings
from ..exceptions import CommandError, CommandReason
from ..json_values import json_object
from ..models.commands import CommandResult, Evidence, Outcome, Reason, Value, Way
from ..models.storage import TARIFF, Storage, StorageMode, StorageSettings, is_same
from .proof import Observation

#: By name of `Control.set_storage`, the key of the document.
KEYS = {
    "mode": "mode",
    "reserve": "reserved_soc",
    "shutdown_level": "very_low_soc",
    "charge_from_grid": "charge_from_grid",
}


def require_levels(requested: Mapping[str, Value], present: Mapping[str, Value]) -> None:
    """Raise CommandError if the reserve would be below the shutdown level."""
    if requested.get("mode") == StorageMode.BACKUP:
        # It keeps everything.
        return
    levels = {name: requested.get(name, present.get(name)) for name in ("reserve", "shutdown_level")}
    reserve, lowest = levels.values()
    if not levels.keys() & requested.keys() or reserve is None or lowest is None:
        return
    if float(reserve) < float(lowest):
        raise CommandError(
            f"the reserve ({reserve:g} %) must not be below the shutdown level ({lowest:g} %)",
            CommandReason.RESERVE_BELOW_SHUTDOWN,
            reserve=float(reserve),
            shutdown_level=float(lowest),
        )


def change_document(answer: object, requested: Mapping[str, Value]) -> dict[str, Any]:
    """Return the document to send: as it was read, but for what is requested."""
    tariff = dict(json_object(json_object(answer, TARIFF).get("tariff"), TARIFF))
    settings = dict(json_object(tariff.get("storage_settings"), TARIFF))
    for name, value in requested.items():
        settings[KEYS[name]] = in_form_of(settings.get(KEYS[name]), value)
    if "mode" in requested and settings.get("opt_schedules") is True:
        # From 8.2.42 on, the controller ignores the mode while this is true.
        settings["opt_schedules"] = False
    # The gateway makes the part "schedule" itself.
    return {"tariff": {**tariff, "storage_settings": settings}}


def in_form_of(present: object, value: Value) -> Value:
    """Return a value in the form in which the gateway has the present one: some numbers are floats."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value) if isinstance(value, str) else value
    is_whole = isinstance(present, int) and not isinstance(present, bool) and float(value).is_integer()
    return int(value) if is_whole else float(value)


def with_cloud(storage: Storage, settings: CloudSettings) -> Storage:
    """Return the batteries' use with the mode of the cloud, where the gateway does not tell it."""
    if storage.mode is not None or settings.is_pending:
        return storage
    return replace(storage, mode=settings.mode)


def observe(
    storage: Storage,
    settings: CloudSettings | None = None,
    *,
    written: StorageSettings | None = None,
    has_mode: bool = False,
) -> Observation:
    """Return what the gateway, and the cloud that a command was sent to, report of the batteries.

    `written` are the settings of a document that was sent; `has_mode`: with a new mode, which does not count
    while Enphase's schedules replace it. Raises CommandError if the gateway has no batteries, or no settings
    of them.
    """
    if storage.document is None or storage.has_batteries is False:
        raise CommandError("this gateway has no batteries", CommandReason.NO_BATTERIES)
    known = storage if settings is None else with_cloud(storage, settings)
    values = {name: getattr(known, name) for name in KEYS}
    if written is not None and has_mode and storage.document.optimized_schedules:
        values["mode"] = None
    return Observation(values, partial(_evidence, storage), partial(_explain, storage, settings, written))


def _evidence(storage: Storage, result: CommandResult) -> Evidence:
    """Return the weakest evidence of what was requested."""
    unproven = [name for name in result.requested if name not in storage.from_controller]
    if "mode" in unproven and storage.mode is None and result.way is Way.CLOUD:
        return Evidence.CLOUD
    if unproven == ["mode"] and storage.is_mode_confirmed:
        return Evidence.DEVICE
    return Evidence.DOCUMENT if unproven else Evidence.DEVICE


def _explain(
    storage: Storage, settings: CloudSettings | None, written: StorageSettings | None, result: CommandResult
) -> Reason | None:
    if not result.missing:
        return _explain_held(storage, result)
    if settings is not None:
        return Reason.CLOUD_PENDING if settings.is_pending else None
    if not result.is_final or storage.document is None:
        return None
    if "mode" in result.missing and storage.document.optimized_schedules:
        return Reason.OPTIMIZED_SCHEDULES
    if all(is_same(getattr(storage.document, name), result.requested[name]) for name in result.missing):
        return Reason.LOCAL_WRITES_IGNORED
    is_rewritten = result.outcome is Outcome.TAKEN_BACK or _has_other_changes(
        storage.document, written, result
    )
    return Reason.REWRITTEN if is_rewritten else Reason.NOT_STORED


def _has_other_changes(
    document: StorageSettings, written: StorageSettings | None, result: CommandResult
) -> bool:
    """Whether settings that a command sent as it had read them are others: another program wrote them."""
    return written is not None and any(
        not is_same(getattr(document, name), getattr(written, name))
        for name in KEYS
        if name not in result.requested
    )


def _explain_held(storage: Storage, result: CommandResult) -> Reason | None:
    reserve = result.requested.get("reserve")
    if reserve is not None and not is_same(reserve, result.after.get("reserve")):
        return Reason.FULL_RESERVE
    if result.is_final and storage.is_scheduler_stuck and result.requested.get("charge_from_grid"):
        return Reason.STUCK_SCHEDULER
    return None
