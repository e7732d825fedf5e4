"""Encode messages to JSON and decode them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import orjson

from enphase_api import InvalidAnswerError
from enphase_api.json_values import (
    integer,
    is_identifier,
    is_serial_number,
    is_too_deep,
    json_objects,
    text,
    timestamp,
)
from enphase_api.models import Quantities, Readings

from . import reports
from .model import MAX_SAMPLES, PHASES, WHOLE, Message, Sample

#: Counted up when a reader of the one before would misunderstand a message; new keys do not need that.
SCHEMA_VERSION = 1

#: Bytes. A message of as many samples as it may have stays below half of this; usual ones have four thousand.
MAX_BODY = 64_000

#: Milliseconds; as for the gateway's own times, see enphase_api.json_values.
_EARLIEST, _LATEST = 1_199_145_600_000, 4_102_444_800_000


class MessageError(ValueError):
    """No message that can be read; the text is the reason."""


def from_readings(
    readings: Readings, gateway: str, now: float, *, unmetered_batteries: bool = False
) -> Message:
    """Return the message of one answer of a gateway, read at `now` (seconds since the epoch).

    A meter that does not say when it measured is left out: its reading could not be told from one sent twice.
    Of two meters that measure the same, the first stands for it, as everywhere. What no reader would take, a
    type that is not written in letters, digits and hyphens or a sample too many, is left out.
    """
    samples = tuple(islice(_unique(_samples(readings)), MAX_SAMPLES))
    return Message(gateway, now, samples, uuid.uuid4().hex, unmetered_batteries)


def is_complete(message: Message) -> bool:
    """Return whether Enphase-API's consumer finds all that it needs; it ends at a message without that."""
    return len(_reports(message)) == len(reports.TYPES)


def encode(message: Message) -> bytes:
    """Return the message as JSON: Enphase-API's form, and beside it all meters, both directions of energy."""
    return orjson.dumps(
        {
            "timestamp": message.timestamp,
            "readings": _reports(message),
            "schema_version": SCHEMA_VERSION,
            "gateway_serial_number": message.gateway,
            "has_unmetered_batteries": message.unmetered_batteries,
            **({"has_unmetered_production": True} if message.production_is_reported else {}),
            "meters": [_entry(sample) for sample in message.samples],
        }
    )


def decode(body: bytes, default_gateway: str | None = None) -> Message:
    """Return the message that a body holds, our own or one of Enphase-API's scripts.

    Theirs names no gateway: it is taken for `default_gateway`'s. Raises MessageError where it cannot be read.
    """
    content = _parsed(body)
    gateway = _gateway(content, default_gateway)
    sent_at = timestamp(content, "timestamp")
    if sent_at is None:
        raise MessageError("it has no timestamp that could be one")
    key, read = ("meters", _from_entries) if "meters" in content else ("readings", reports.to_samples)
    try:
        samples = tuple(_unique(read(_bounded(json_objects(content.get(key), key), key))))
    except InvalidAnswerError:
        raise MessageError(f"`{key}` is no list of objects") from None
    except ValueError as error:
        raise MessageError(str(error)) from None
    said = content.get("has_unmetered_batteries")
    unmetered_batteries = said if isinstance(said, bool) else None
    return Message(
        gateway,
        sent_at.timestamp(),
        samples,
        unmetered_batteries=unmetered_batteries,
        production_is_reported=content.get("has_unmetered_production") is True,
    )


def _parsed(body: bytes) -> Mapping[str, Any]:
    """Return a body as a JSON object of a version that is known. Raises MessageError."""
    if len(body) > MAX_BODY:
        raise MessageError(f"{len(body)} bytes, and no message has more than {MAX_BODY}")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MessageError(f"not JSON: {error}") from None
    if is_too_deep(body, content):
        raise MessageError("JSON that is nested too deeply")
    if not isinstance(content, dict):
        raise MessageError("not a JSON object")
    version = content.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        shown = f"{version}" if isinstance(version, int | float) else "is no number"
        raise MessageError(
            f"schema_version {shown}, and only {SCHEMA_VERSION} is known here: update this program"
        )
    return content


def _gateway(content: Mapping[str, Any], default: str | None) -> str:
    """Return whose the message is. Raises MessageError."""
    gateway = default
    if "gateway_serial_number" in content:
        gateway = text(content, "gateway_serial_number")
        if gateway is None or not is_serial_number(gateway):
            raise MessageError("its gateway_serial_number is no serial number")
    if gateway is None:
        raise MessageError(
            "it does not say which gateway's it is; for Enphase-API's, set gateway_serial_number"
        )
    return gateway


def _reports(message: Message) -> list[dict[str, Any]]:
    return reports.from_samples(
        message.samples, message.metered, unmetered_batteries=message.unmetered_batteries is True
    )


def _samples(readings: Readings) -> Iterator[Sample]:
    for reading in readings:
        if reading.measured_at is None:
            continue
        measurement, at = str(reading.meter.measurement_type), round(reading.measured_at.timestamp() * 1000)
        if not is_identifier(measurement):
            continue
        yield Sample(measurement, WHOLE, at, reading.total)
        for phase, quantities in enumerate(reading.phases, start=1):
            if quantities is not None:
                yield Sample(measurement, phase, at, quantities)


def _entry(sample: Sample) -> dict[str, Any]:
    """Return one element of `meters`: the words of a report; what is unknown is left out."""
    said = {
        key: value
        for key, value in sample.quantities.as_report().items()
        if value is not None and key != "currW"
    }
    return {
        "measurement_type": sample.measurement,
        "phase": sample.phase,
        "measured_at": sample.measured_at,
        **said,
    }


def _from_entries(entries: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    for entry in entries:
        measurement = text(entry, "measurement_type")
        phase = integer(entry, "phase", low=WHOLE, high=PHASES)
        measured_at = integer(entry, "measured_at", low=_EARLIEST, high=_LATEST)
        if measurement is None or not is_identifier(measurement) or phase is None or measured_at is None:
            raise MessageError("an element of `meters` does not say what, which phase or when it measured")
        yield Sample(measurement, phase, measured_at, Quantities.from_report(entry))


def _bounded(entries: Sequence[Mapping[str, Any]], key: str) -> Sequence[Mapping[str, Any]]:
    """Return these entries of a message. Raises MessageError where there are more than meters can make."""
    most = MAX_SAMPLES if key == "meters" else MAX_SAMPLES // (1 + PHASES)
    if len(entries) > most:
        raise MessageError(f"{len(entries)} elements of `{key}`, and no gateway has more than {most}")
    return entries


def _unique(samples: Iterable[Sample]) -> Iterable[Sample]:
    by_key: dict[tuple[str, int], Sample] = {}
    for sample in samples:
        by_key.setdefault((sample.measurement, sample.phase), sample)
    return by_key.values()
