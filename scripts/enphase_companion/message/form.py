"""A message: what the meters of one gateway said at one moment, and its form on the queue."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from enphase_api import InvalidAnswerError
from enphase_api.models import MeasurementType, Quantities, Readings
from enphase_api.values import integer, moment, objects, text

from . import reports
from .sample import MAX_TEXT, PHASES, WHOLE, Sample

#: Counted up when a reader of the one before would misunderstand a message; new keys do not need that.
SCHEMA_VERSION = 1

#: Milliseconds; as for the gateway's own times, see enphase_api.values.
_EARLIEST, _LATEST = 1_199_145_600_000, 4_102_444_800_000


class MessageError(ValueError):
    """No message that can be read; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Message:
    """What the meters of one gateway said at one moment."""

    #: Serial number.
    gateway: str
    #: Seconds since the epoch by the clock of who read it; the samples have their own times.
    timestamp: float
    #: One for each meter and each of its wired phases; only what meters said, nothing worked out.
    samples: tuple[Sample, ...]
    message_id: str | None = None
    #: There are batteries without a storage meter: consumption cannot be worked out from the samples. None:
    #: not said, as by Enphase-API's scripts.
    unmetered_batteries: bool | None = None
    #: Production is what microinverters report, some minutes old, which is added up with nothing.
    production_is_reported: bool = False

    @property
    def metered(self) -> frozenset[str]:
        """What is metered."""
        found = frozenset(sample.measurement for sample in self.samples)
        return found - {MeasurementType.PRODUCTION} if self.production_is_reported else found


def from_readings(
    readings: Readings, gateway: str, now: float, *, unmetered_batteries: bool = False
) -> Message:
    """Give the message of one answer of a gateway, read at `now` (seconds since the epoch).

    A meter that does not say when it measured is left out: its reading could not be told from one sent twice.
    So is one with a word that no message can bear, which is no firmware's.
    Of two meters that measure the same, the first stands for it, as everywhere.
    """
    return Message(gateway, now, _unique(_samples(readings)), uuid.uuid4().hex, unmetered_batteries)


def is_complete(message: Message) -> bool:
    """Tell whether a reader of Enphase-API's finds all that it needs; a message without that would end it."""
    return len(_reports(message)) == len(reports.TYPES)


def encode(message: Message) -> bytes:
    """Give the message as JSON: Enphase-API's form, and beside it all meters, both directions of energy."""
    return orjson.dumps(
        {
            "timestamp": message.timestamp,
            "readings": _reports(message),
            "schema_version": SCHEMA_VERSION,
            "gateway": message.gateway,
            "unmetered_batteries": message.unmetered_batteries,
            **({"production_is_reported": True} if message.production_is_reported else {}),
            "meters": [_entry(sample) for sample in message.samples],
        }
    )


def decode(body: bytes, default_gateway: str | None = None) -> Message:
    """Give the message that a body holds, our own or one of Enphase-API's scripts.

    Theirs names no gateway: it is taken for `default_gateway`'s. Raises MessageError where it cannot be read.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MessageError(f"not JSON: {error}") from None
    if not isinstance(content, dict):
        raise MessageError("not a JSON object")
    version = content.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise MessageError(
            f"schema_version {version!r:.20}, and only {SCHEMA_VERSION} is known here: update this program"
        )
    gateway = text(content, "gateway") if "gateway" in content else default_gateway
    if gateway is None or len(gateway) > MAX_TEXT:
        raise MessageError(
            "it does not say which gateway's it is; for Enphase-API's, set gateway_serial_number"
        )
    timestamp = moment(content, "timestamp")
    if timestamp is None:
        raise MessageError("it has no timestamp that could be one")
    key, read = ("meters", _from_entries) if "meters" in content else ("readings", reports.to_samples)
    try:
        samples = _unique(read(objects(content.get(key), key)))
    except InvalidAnswerError:
        raise MessageError(f"`{key}` is no list of objects") from None
    except ValueError as error:
        raise MessageError(str(error)) from None
    said = content.get("unmetered_batteries")
    unmetered_batteries = said if isinstance(said, bool) else None
    return Message(
        gateway,
        timestamp.timestamp(),
        samples,
        unmetered_batteries=unmetered_batteries,
        production_is_reported=content.get("production_is_reported") is True,
    )


def _reports(message: Message) -> list[dict[str, Any]]:
    return reports.from_samples(
        message.samples, message.metered, unmetered_batteries=message.unmetered_batteries is True
    )


def _samples(readings: Readings) -> Iterator[Sample]:
    for reading in readings:
        if reading.measured_at is None or len(reading.meter.measurement_type) > MAX_TEXT:
            continue
        measurement, at = str(reading.meter.measurement_type), round(reading.measured_at.timestamp() * 1000)
        yield Sample(measurement, WHOLE, at, reading.total)
        for phase, quantities in enumerate(reading.phases, start=1):
            if quantities is not None:
                yield Sample(measurement, phase, at, quantities)


def _entry(sample: Sample) -> dict[str, Any]:
    """Give one element of `meters`: the words of a report; what is unknown is left out."""
    said = {
        key: value
        for key, value in sample.quantities.as_report().items()
        if value is not None and key != "currW"
    }
    return {
        "measurement": sample.measurement,
        "phase": sample.phase,
        "measured_at": sample.measured_at,
        **said,
    }


def _from_entries(entries: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    for entry in entries:
        measurement = text(entry, "measurement")
        phase = integer(entry, "phase", low=WHOLE, high=PHASES)
        measured_at = integer(entry, "measured_at", low=_EARLIEST, high=_LATEST)
        if measurement is None or len(measurement) > MAX_TEXT or phase is None or measured_at is None:
            raise MessageError("an element of `meters` does not say what, which phase or when it measured")
        yield Sample(measurement, phase, measured_at, Quantities.from_report(entry))


def _unique(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    by_key: dict[tuple[str, int], Sample] = {}
    for sample in samples:
        by_key.setdefault((sample.measurement, sample.phase), sample)
    return tuple(by_key.values())
