"""The messages that the soak test publishes itself."""

import json

import pytest

from development.soak.gateways import COLUMNS
from development.soak.messages import POISON, TWICE, build_reading
from enphase_companion.message import MessageError, decode

AT = 1_764_000_000


def test_its_readings_are_those_of_the_ledger() -> None:
    values, body = build_reading(TWICE, AT)
    message = decode(json.dumps(body).encode())
    assert message.gateway == TWICE
    decoded = {(each.measurement, each.phase): each for each in message.samples}
    assert decoded.keys() == values.keys()
    for key, sample in decoded.items():
        assert sample.measured_at == AT * 1000
        assert [getattr(sample.quantities, column) for column in COLUMNS.values()] == [*values[key]]


@pytest.mark.parametrize("kind", POISON)
def test_each_kind_of_poison_is_unreadable(kind: str) -> None:
    good = build_reading(TWICE, AT)[1]
    with pytest.raises(MessageError):
        decode(POISON[kind](good))
