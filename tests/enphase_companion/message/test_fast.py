"""Usual messages are decoded at once, and as in the general way."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from enphase_companion.message import Message, MessageError, build_reports, decode, encode
from enphase_companion.message import codec as codec_module
from enphase_companion.message.fast import decode_usual

from ..amqp_helpers import build_message


def decode_generally(body: bytes, monkeypatch: pytest.MonkeyPatch) -> Message | str:
    """Return the message, or the reason why it is invalid, as without msgspec."""
    with monkeypatch.context() as patched:
        patched.setattr(codec_module, "decode_usual", lambda _: None)
        return decode_or_reason(body)


def decode_or_reason(body: bytes) -> Message | str:
    try:
        return decode(body)
    except MessageError as error:
        return str(error)


def change(key: str, value: Any, *, entry: int | None = None) -> bytes:
    """Return the body of a message in which a key, or that of an entry of `meters`, has another value."""
    content = orjson.loads(encode(build_message(1)))
    (content if entry is None else content["meters"][entry])[key] = value
    return json.dumps(content).encode()


def test_what_publishers_send_is_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    message = build_message(1, message_id=None, timestamp=1_782_043_200.123456789)
    for body in (encode(message), encode(message, build_reports(message))):
        assert decode_usual(body) == message == decode_generally(body, monkeypatch)


@pytest.mark.parametrize("value", [1, 0, -1, 2.5, 1e7, -1e7, 1e300, 10**30, True, None, "1", [1], {}])
@pytest.mark.parametrize(
    "key",
    [
        "phase",
        "measured_at",
        "measurement_type",
        "actPower",
        "freqHz",
        "whDlvdCum",
        "rmsVoltage",
        "rmsCurrent",
    ],
)
def test_any_value_of_a_reading_is_decoded_as_in_the_general_way(
    key: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = change(key, value, entry=1)
    assert decode_or_reason(body) == decode_generally(body, monkeypatch)


@pytest.mark.parametrize(
    "value", [1, 0, -1, 1.5, 1_782_043_200, 1e300, True, False, None, "1", " 1 ", "", [], {}]
)
@pytest.mark.parametrize(
    "key",
    ["timestamp", "gateway_serial_number", "meters", "schema_version", "has_unmetered_batteries",
     "has_unmetered_production"],
)  # fmt: skip
def test_any_value_of_a_message_is_decoded_as_in_the_general_way(
    key: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = change(key, value)
    assert decode_or_reason(body) == decode_generally(body, monkeypatch)


@pytest.mark.parametrize(
    "body",
    [
        change("whRcvdCum", -0.0, entry=0),
        change("measurement_type", "net-consumption", entry=0),
        change("meters", orjson.loads(encode(build_message(1)))["meters"] * 17),
        change("other", [[]] * 70),
        b"[" * 1000,
        b"",
        b"[]",
    ],
    ids=["negative zero", "doubled", "too many", "brackets", "deep", "empty", "no object"],
)
def test_unusual_messages_are_left_to_the_general_way(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert decode_usual(body) is None
    assert decode_or_reason(body) == decode_generally(body, monkeypatch)
