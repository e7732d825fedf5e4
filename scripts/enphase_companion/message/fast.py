"""Decode a usual message at once: JSON straight to checked values, without building what is not stored.

msgspec does that, which the extra `amqp` installs. Any other message is left to the codec's general way, and
without msgspec all are. Both return the same; what is not stored may be no valid JSON here.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Annotated, Any, Literal

from enphase_api.json_values import MAX_DEPTH, is_identifier, is_serial_number
from enphase_api.message import EARLIEST, LATEST, MAX_SAMPLES, PHASES, SCHEMA_VERSION, WHOLE, Message, Sample
from enphase_api.models.readings import REPORT_KEYS, Quantities

try:
    import msgspec
except ModuleNotFoundError:
    _decode: Callable[[bytes], Any] | None = None
else:
    _Entry = msgspec.defstruct(
        "_Entry",
        [
            ("measurement_type", str),
            ("phase", Annotated[int, msgspec.Meta(ge=WHOLE, le=PHASES)]),
            ("measured_at", Annotated[int, msgspec.Meta(ge=EARLIEST, le=LATEST)]),
            # In the order of the fields of `Quantities`.
            *(
                (key.name, Annotated[float, msgspec.Meta(ge=key.low, le=key.high)] | None, None)
                for key in REPORT_KEYS
            ),
        ],
        gc=False,
    )
    _Content = msgspec.defstruct(
        "_Content",
        [
            ("timestamp", Annotated[float, msgspec.Meta(ge=EARLIEST / 1000, le=LATEST / 1000)]),
            ("gateway_serial_number", str),
            ("meters", Annotated[list[_Entry], msgspec.Meta(max_length=MAX_SAMPLES)]),  # type: ignore[valid-type]
            ("schema_version", Literal[SCHEMA_VERSION], SCHEMA_VERSION),
            ("has_unmetered_batteries", bool | None, None),
            ("has_unmetered_production", bool, False),
        ],
        gc=False,
    )
    _decode = msgspec.json.Decoder(_Content).decode
    _to_tuple = msgspec.structs.astuple

_get_key = itemgetter(0, 1)


def decode_usual(body: bytes) -> Message | None:
    """Return the message of a body; None if it must be read in another way, or is invalid."""
    if _decode is None or _is_unusual(body):
        return None
    try:
        content = _decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    samples = []
    for values in map(_to_tuple, content.meters):
        measurement, phase, measured_at = values[:3]
        if not is_identifier(measurement):
            return None
        quantities = Quantities._make(values[3:])
        samples.append(Sample(measurement, phase, measured_at, quantities.within_bounds()))
    if len(set(map(_get_key, samples))) < len(samples) or not is_serial_number(content.gateway_serial_number):
        return None
    return Message(
        content.gateway_serial_number,
        content.timestamp,
        tuple(samples),
        has_unmetered_batteries=content.has_unmetered_batteries,
        has_unmetered_production=content.has_unmetered_production,
    )


def _is_unusual(body: bytes) -> bool:
    """Whether a body may be nested too deeply, or have a negative zero."""
    return body.count(b"[") + body.count(b"{") > MAX_DEPTH or b"-0.0," in body or b"-0.0}" in body
