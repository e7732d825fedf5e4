"""Messages of microinverters: one report of each, in messages of their own."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from enphase_api.models import Inverter
from enphase_companion.message import (
    MAX_BODY,
    MAX_INVERTERS,
    InverterSample,
    Message,
    MessageError,
    decode,
    encode,
    from_inverters,
)

AT = 1_764_000_000
GATEWAY = "122300000001"


def build_inverter(number: int, at: int | None = AT) -> Inverter:
    reported_at = None if at is None else datetime.fromtimestamp(at, UTC)
    return Inverter(
        serial_number=f"4821{number:08}", last_reported_at=reported_at, power=231.0, max_power=366.0
    )


def test_a_message_of_inverters_is_decoded_as_it_was_encoded() -> None:
    samples = (
        InverterSample("482100000001", AT * 1000, 231.0, 298_261.25),
        InverterSample("482100000002", (AT - 300) * 1000, None, None),
    )
    assert decode(encode(Message(GATEWAY, AT + 0.5, (), inverters=samples))) == Message(
        GATEWAY, AT + 0.5, (), inverters=samples
    )


def test_inverters_that_never_reported_are_left_out() -> None:
    (message,) = from_inverters([build_inverter(1), build_inverter(2, None)], GATEWAY, AT)
    assert [each.serial_number for each in message.inverters] == ["482100000001"]
    assert from_inverters([build_inverter(2, None)], GATEWAY, AT) == []


def test_a_larger_array_has_several_messages() -> None:
    messages = from_inverters(map(build_inverter, range(MAX_INVERTERS + 1)), GATEWAY, AT)
    assert [len(each.inverters) for each in messages] == [MAX_INVERTERS, 1]
    assert len({each.message_id for each in messages}) == 2


def test_the_most_inverters_fit_in_the_maximum_size() -> None:
    samples = tuple(
        InverterSample(f"{number:032}", AT * 1000, -1234.56789, 2**32 / 3600 - 1 / 3)
        for number in range(MAX_INVERTERS)
    )
    body = encode(Message("1" * 32, AT + 1 / 3, (), inverters=samples))
    assert len(body) <= MAX_BODY
    assert decode(body).inverters == samples


@pytest.mark.parametrize(
    ("inverters", "reason"),
    [
        (7, "`inverters` is not a list of objects"),
        ([], "0 elements of `inverters`"),
        ([{"serial_number": "1", "measured_at": AT * 1000}] * (MAX_INVERTERS + 1), "451 elements"),
        ([{"measured_at": AT * 1000}], "lacks a valid serial_number or measured_at"),
        (
            [{"serial_number": "482100000001", "measured_at": AT}],
            "lacks a valid serial_number or measured_at",
        ),
        ([{"serial_number": "48 21", "measured_at": AT * 1000}], "lacks a valid serial_number"),
    ],
)
def test_the_error_of_an_unreadable_message_names_the_reason(inverters: object, reason: str) -> None:
    content = {"timestamp": AT, "gateway_serial_number": GATEWAY, "inverters": inverters}
    with pytest.raises(MessageError, match=reason):
        decode(orjson.dumps(content))


def test_impossible_values_are_unknown_and_the_first_of_two_reports_is_used() -> None:
    entry = {"serial_number": "482100000001", "measured_at": AT * 1000, "power": 1e9, "energy": -1}
    content = {
        "timestamp": AT,
        "gateway_serial_number": GATEWAY,
        "inverters": [entry, {**entry, "power": 1}],
    }
    assert decode(orjson.dumps(content)).inverters == (InverterSample("482100000001", AT * 1000, None, None),)
