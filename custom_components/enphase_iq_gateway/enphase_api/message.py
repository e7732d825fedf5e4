"""A message: what the meters of one gateway read at one time, as docs/messages.md describes it.

The integration sends it to those who listen on Home Assistant's websocket API, the scripts to RabbitMQ.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

from .json_values import is_identifier
from .models.meters import MeasurementType
from .models.microinverters import InverterDetails
from .models.production import Inverter
from .models.readings import REPORT_KEYS, Quantities, Readings

#: The keys of quantities, in their order.
_NAMES = tuple(key.name for key in REPORT_KEYS)

#: Incremented when older consumers would misunderstand a message; new keys do not need that.
SCHEMA_VERSION = 1

#: Milliseconds; as for the gateway's own times, see enphase_api.json_values.
EARLIEST, LATEST = 1_199_145_600_000, 4_102_444_800_000

#: Characters of a measurement type and of a serial number, as in the database's columns.
MAX_TEXT = 32

#: Per message: sixteen three-phase meters. Gateways know eight types of meters; one of each type counts.
MAX_SAMPLES = 64

#: Microinverters per message; the others of a larger array are in further messages.
MAX_INVERTERS = 450

#: Phases are 1 to 3; 0 is the whole meter.
WHOLE = 0
PHASES = 3


class Sample(NamedTuple):
    """One meter as a whole, or one phase of it, at one time."""

    #: "production", "net-consumption", "total-consumption", "storage", or another type of the firmware.
    measurement: str
    #: 0: the whole meter; 1, 2, 3: L1, L2, L3.
    phase: int
    #: The gateway's time of measurement in milliseconds since the epoch; it has whole seconds.
    measured_at: int
    #: Units and signs as in `Quantities`; None if unknown.
    quantities: Quantities


class InverterSample(NamedTuple):
    """The last report of one microinverter, that is of one panel."""

    serial_number: str
    #: When it reported, in milliseconds since the epoch, by the gateway's clock.
    measured_at: int
    #: W, mean of the time since the report before; None if unknown.
    power: float | None
    #: Wh, its lifetime counter, modulo `models.INVERTER_ENERGY_LIMIT`; None if the gateway has none.
    energy: float | None


@dataclass(frozen=True, slots=True)
class Message:
    """What the meters of one gateway read at one time; or what its microinverters reported, never both."""

    #: Serial number.
    gateway: str
    #: Seconds since the epoch, by the clock of the polling machine; the samples have their own times.
    timestamp: float
    #: One for each meter and each of its wired phases; nothing is calculated.
    samples: tuple[Sample, ...]
    message_id: str | None = None
    #: Batteries without a storage meter: consumption cannot be calculated from the samples. None: unknown,
    #: as in messages of Enphase-API's scripts.
    has_unmetered_batteries: bool | None = None
    #: Production is the microinverters' sum, some minutes old: it is not added to other readings.
    has_unmetered_production: bool = False
    #: The last report of each microinverter, in messages of their own, see `from_inverters`.
    inverters: tuple[InverterSample, ...] = ()

    @property
    def metered(self) -> frozenset[str]:
        """Measurement types that meters measure."""
        found = frozenset(sample.measurement for sample in self.samples)
        return found - {MeasurementType.PRODUCTION} if self.has_unmetered_production else found

    def with_unmetered_production(self, quantities: Quantities, measured_at: int) -> Message:
        """Return this message with the sum of the microinverters, read at `measured_at` (ms)."""
        made = Sample(str(MeasurementType.PRODUCTION), WHOLE, measured_at, quantities)
        return replace(self, samples=(*self.samples, made), has_unmetered_production=True)

    def as_content(self, reports: Iterable[Mapping[str, Any]] | None = None) -> dict[str, Any]:
        """Return the message as JSON objects: all meters, and Enphase-API's `reports` if there are any."""
        if self.inverters:
            return {
                "timestamp": self.timestamp,
                "schema_version": SCHEMA_VERSION,
                "gateway_serial_number": self.gateway,
                "inverters": [each._asdict() for each in self.inverters],
            }
        return {
            "timestamp": self.timestamp,
            **({"readings": reports} if reports is not None else {}),
            "schema_version": SCHEMA_VERSION,
            "gateway_serial_number": self.gateway,
            "has_unmetered_batteries": self.has_unmetered_batteries,
            **({"has_unmetered_production": True} if self.has_unmetered_production else {}),
            "meters": [_to_entry(sample) for sample in self.samples],
        }


def from_readings(
    readings: Readings, gateway: str, now: float, *, unmetered_batteries: bool = False
) -> Message:
    """Return the message of one response of a gateway, read at `now` (seconds since the epoch).

    Omitted are meters without a time of measurement, as duplicates could not be detected; all but the first
    meter of a type, as everywhere; and what consumers reject: types with characters other than letters,
    digits and hyphens, and samples beyond MAX_SAMPLES.
    """
    samples = tuple(islice(first_of_each(_samples(readings)), MAX_SAMPLES))
    return Message(gateway, now, samples, uuid.uuid4().hex, unmetered_batteries)


def from_inverters(inverters: Iterable[Inverter], gateway: str, now: float) -> list[Message]:
    """Return the messages of the last reports of these microinverters, read at `now` (epoch seconds).

    Microinverters that never reported are omitted.
    """
    samples = [
        InverterSample(
            each.serial_number,
            round(each.last_reported_at.timestamp() * 1000),
            each.power,
            each.lifetime_energy if isinstance(each, InverterDetails) else None,
        )
        for each in inverters
        if each.last_reported_at is not None
    ]
    return [
        Message(gateway, now, (), uuid.uuid4().hex, inverters=tuple(samples[start : start + MAX_INVERTERS]))
        for start in range(0, len(samples), MAX_INVERTERS)
    ]


def first_of_each(samples: Iterable[Sample]) -> Iterable[Sample]:
    """Return the first sample of each meter and phase."""
    by_key: dict[tuple[str, int], Sample] = {}
    for sample in samples:
        by_key.setdefault((sample.measurement, sample.phase), sample)
    return by_key.values()


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


def _to_entry(sample: Sample) -> dict[str, Any]:
    """Return one element of `meters`, with the keys of a report; unknown values are omitted."""
    return {
        "measurement_type": sample.measurement,
        "phase": sample.phase,
        "measured_at": sample.measured_at,
        **{key: value for key, value in zip(_NAMES, sample.quantities, strict=True) if value is not None},
    }
