"""Encode messages to JSON and decode them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from enphase_api import InvalidAnswerError
from enphase_api.json_values import (
    identifier,
    integer,
    is_identifier,
    is_serial_number,
    is_too_deep,
    json_objects,
    number,
    text,
)
from enphase_api.message import (
    EARLIEST,
    LATEST,
    MAX_INVERTERS,
    MAX_SAMPLES,
    PHASES,
    SCHEMA_VERSION,
    WHOLE,
    InverterSample,
    Message,
    Sample,
    first_of_each,
)
from enphase_api.models import MAX_INVERTER_POWER, Quantities

from . import reports
from .fast import decode_usual

#: Bytes: twice the size of a message with MAX_SAMPLES, and a little more than one with MAX_INVERTERS has; a
#: usual one has four thousand.
MAX_BODY = 64_000

#: Wh; far beyond the lifetime counter of a microinverter.
_MAX_ENERGY = 1e12


class MessageError(ValueError):
    """The message cannot be decoded; the text is the reason."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """An encoded message and its AMQP properties."""

    message_id: str
    #: Serial number.
    gateway: str
    routing_key: str
    body: bytes


def build_reports(message: Message) -> list[dict[str, Any]]:
    """Return Enphase-API's reports of a message: those of the three that are known."""
    return reports.from_samples(
        message.samples, message.metered, unmetered_batteries=message.has_unmetered_batteries is True
    )


def are_complete(built: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these reports are all that Enphase-API's consumers need; they stop at a message with fewer."""
    return len(built) == len(reports.TYPES)


def encode(message: Message, built: Sequence[Mapping[str, Any]] | None = None) -> bytes:
    """Return the message as JSON: all meters, and Enphase-API's reports if `built`."""
    return orjson.dumps(message.as_content(built))


def decode(body: bytes, default_gateway: str | None = None) -> Message:
    """Return the message of a body, from the scripts here or from Enphase-API's.

    Theirs name no gateway: they get `default_gateway`. Raises MessageError.
    """
    if len(body) > MAX_BODY:
        raise MessageError(f"{len(body)} bytes, more than the maximum of {MAX_BODY}")
    return decode_usual(body) or from_content(_parse(body), default_gateway)


def from_content(content: Mapping[str, Any], default_gateway: str | None = None) -> Message:
    """Return the message of JSON objects that are not nested too deeply, as `decode` does.

    Raises MessageError with the reason why it is invalid.
    """
    version = content.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        shown = f"{version}" if isinstance(version, int | float) else "is not a number"
        raise MessageError(f"schema_version {shown}, only {SCHEMA_VERSION} is supported: update this program")
    gateway = _find_gateway(content, default_gateway)
    sent_at = number(content, "timestamp", low=EARLIEST / 1000, high=LATEST / 1000)
    if sent_at is None:
        raise MessageError("no valid timestamp")
    if "inverters" in content and "meters" not in content:
        return Message(gateway, sent_at, (), inverters=_read_inverters(content))
    key, read = ("meters", _from_entries) if "meters" in content else ("readings", reports.to_samples)
    try:
        samples = tuple(first_of_each(read(_check_count(json_objects(content.get(key), key), key))))
    except InvalidAnswerError:
        raise MessageError(f"`{key}` is not a list of objects") from None
    except ValueError as error:
        raise MessageError(str(error)) from None
    unmetered_batteries = content.get("has_unmetered_batteries")
    return Message(
        gateway,
        sent_at,
        samples,
        has_unmetered_batteries=unmetered_batteries if isinstance(unmetered_batteries, bool) else None,
        has_unmetered_production=content.get("has_unmetered_production") is True,
    )


def _parse(body: bytes) -> Mapping[str, Any]:
    """Return a body as a JSON object. Raises MessageError."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MessageError(f"not JSON: {error}") from None
    if is_too_deep(body, content):
        raise MessageError("JSON nested too deeply")
    if not isinstance(content, dict):
        raise MessageError("not a JSON object")
    return content


def _find_gateway(content: Mapping[str, Any], default: str | None) -> str:
    """Return the serial number of the message's gateway. Raises MessageError."""
    gateway = default
    if "gateway_serial_number" in content:
        gateway = text(content, "gateway_serial_number")
        if gateway is None or not is_serial_number(gateway):
            raise MessageError("gateway_serial_number is not a serial number")
    if gateway is None:
        raise MessageError(
            "it names no gateway: for messages of Enphase-API's scripts, set gateway_serial_number"
        )
    return gateway


def _from_entries(entries: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    for entry in entries:
        measurement = text(entry, "measurement_type")
        phase = integer(entry, "phase", low=WHOLE, high=PHASES)
        measured_at = integer(entry, "measured_at", low=EARLIEST, high=LATEST)
        if measurement is None or not is_identifier(measurement) or phase is None or measured_at is None:
            raise MessageError("an element of `meters` lacks a valid measurement_type, phase or measured_at")
        yield Sample(measurement, phase, measured_at, Quantities.from_report(entry))


def _read_inverters(content: Mapping[str, Any]) -> tuple[InverterSample, ...]:
    """Return the first report of each microinverter. Raises MessageError."""
    try:
        entries = json_objects(content.get("inverters"), "inverters")
    except InvalidAnswerError:
        raise MessageError("`inverters` is not a list of objects") from None
    if not 0 < len(entries) <= MAX_INVERTERS:
        raise MessageError(f"{len(entries)} elements of `inverters`, not 1 to {MAX_INVERTERS}")
    samples: dict[str, InverterSample] = {}
    for entry in entries:
        serial_number = identifier(entry, "serial_number")
        measured_at = integer(entry, "measured_at", low=EARLIEST, high=LATEST)
        if serial_number is None or measured_at is None:
            raise MessageError("an element of `inverters` lacks a valid serial_number or measured_at")
        power = number(entry, "power", -MAX_INVERTER_POWER, MAX_INVERTER_POWER)
        energy = number(entry, "energy", 0, _MAX_ENERGY)
        samples.setdefault(serial_number, InverterSample(serial_number, measured_at, power, energy))
    return tuple(samples.values())


def _check_count(entries: Sequence[Mapping[str, Any]], key: str) -> Sequence[Mapping[str, Any]]:
    """Return these entries. Raises MessageError if there are more than a gateway can have."""
    most = MAX_SAMPLES if key == "meters" else MAX_SAMPLES // (1 + PHASES)
    if len(entries) > most:
        raise MessageError(f"{len(entries)} elements of `{key}`, more than the maximum of {most}")
    return entries
