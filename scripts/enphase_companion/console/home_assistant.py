"""The values of a gateway as Home Assistant's integration offers them: its meters, phases and their sums."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from enphase_api.json_values import integer, is_serial_number, text, texts
from enphase_api.models import Info, MeasurementType, Meter, Quantities, Reading, Readings

from ..config.settings import Settings
from ..home_assistant.client import RefusedError, UnavailableError, connect
from ..home_assistant.stream import ReadingsStream
from ..message import WHOLE, Message, MessageError, Sample, from_content
from ..runtime.errors import CommandError, join_clauses
from ..runtime.timing import Backoff
from .follow import State
from .overview import Overview


async def read_overview(settings: Settings) -> Overview:
    """Return the latest values that Home Assistant has.

    Raises CommandError if it has none, or as `connect` does.
    """
    async with connect(settings) as home_assistant:
        stream = await ReadingsStream.open(home_assistant, settings)
        event = await stream.next()
        if "state" in event:
            raise CommandError(stream.reason_of(event))
        return _build(settings, await stream.info(), event)


async def follow(settings: Settings, interval: float) -> AsyncIterator[State]:
    """Yield a state at each refresh of Home Assistant, but not more often than every `interval` seconds.

    Raises as `read_overview` does if the first connection fails, SettingsError once the token is refused.
    """
    clock = asyncio.get_running_loop().time
    overview: Overview | None = None
    pauses = Backoff(1, 60)
    next_at = clock()
    while True:
        try:
            async with connect(settings) as home_assistant:
                stream = await ReadingsStream.open(home_assistant, settings)
                info: Mapping[str, Any] | None = None
                while True:
                    event = await stream.next()
                    if "state" in event:
                        info = None
                        if overview is None:
                            raise CommandError(stream.reason_of(event))
                        yield State(overview, stream.reason_of(event))
                        continue
                    info = await stream.info() if info is None else info
                    overview = _build(settings, info, event)
                    pauses.reset()
                    # A tenth: refreshes are not exactly regular.
                    if clock() >= next_at - interval / 10:
                        next_at = clock() + interval
                        yield State(overview)
        except (UnavailableError, RefusedError) as error:
            if overview is None:
                raise
            yield State(overview, join_clauses(str(error), "retrying"))
            await asyncio.sleep(pauses.next())


def _build(settings: Settings, info: Mapping[str, Any], event: Mapping[str, Any]) -> Overview:
    try:
        message = from_content(event)
    except MessageError as error:
        raise CommandError(f"Home Assistant sends an invalid message: {error}") from None
    listed = info.get("meters")
    found = (_read_meter(each) for each in (listed if isinstance(listed, list) else []))
    meters = tuple(meter for meter in found if meter is not None)
    return Overview(
        host=settings.home_assistant_url or "",
        info=Info(
            serial_number=message.gateway if is_serial_number(message.gateway) else "",
            firmware=text(info, "firmware") or "unknown",
            part_number=text(info, "part_number"),
        ),
        meters=meters,
        readings=Readings(tuple(_readings(meters, message))),
        problems=(_describe_omissions(info),),
        has_unmetered_batteries=message.has_unmetered_batteries is True,
        unmetered_production=_unmetered_production(message),
    )


def _read_meter(entry: Any) -> Meter | None:
    if not isinstance(entry, dict):
        return None
    eid, measurement_type = integer(entry, "eid", low=0), text(entry, "measurement_type")
    if eid is None or measurement_type is None:
        return None
    return Meter(
        eid=eid,
        measurement_type=measurement_type,
        enabled=entry.get("enabled") is True,
        phase_mode=text(entry, "phase_mode"),
        phase_count=integer(entry, "phase_count", low=1, high=3) or 1,
        metering_status=text(entry, "status"),
        status_flags=texts(entry, "status_flags"),
    )


def _readings(meters: tuple[Meter, ...], message: Message) -> list[Reading]:
    """Return the readings of enabled meters; of two meters of a type, messages have the first."""
    samples = {(each.measurement, each.phase): each for each in message.samples}
    readings: dict[str, Reading] = {}
    for meter in meters:
        whole = samples.get((meter.measurement_type, WHOLE))
        if not meter.enabled or whole is None or meter.measurement_type in readings:
            continue
        phases = [samples.get((meter.measurement_type, number + 1)) for number in range(meter.phase_count)]
        readings[meter.measurement_type] = Reading(
            meter=meter,
            measured_at=datetime.fromtimestamp(whole.measured_at / 1000, UTC),
            total=whole.quantities,
            phases=tuple(phase.quantities if isinstance(phase, Sample) else None for phase in phases),
        )
    return list(readings.values())


def _unmetered_production(message: Message) -> Quantities | None:
    if not message.has_unmetered_production:
        return None
    return next(
        (
            sample.quantities
            for sample in message.samples
            if sample.measurement == MeasurementType.PRODUCTION and sample.phase == WHOLE
        ),
        None,
    )


def _describe_omissions(info: Mapping[str, Any]) -> str:
    """Return what Home Assistant's stream does not have."""
    counts = {name: integer(info, name, low=0) or 0 for name in ("microinverters", "batteries")}
    there = [f"{count} {name}" for name, count in counts.items() if count]
    shown = f"{' and '.join(there)}, and " if there else ""
    return (
        f"Home Assistant's stream has meters only: {shown}today's energy, devices and tariff are in its "
        "entities, or here without home_assistant_url"
    )
