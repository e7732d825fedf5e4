"""The names of meters."""

import pytest

from custom_components.enphase_iq_gateway.enphase_api.models import Meter
from custom_components.enphase_iq_gateway.helpers import meter_name

WORDS = {"production": "Production", "net-consumption": "Grid"}


@pytest.mark.parametrize(
    ("kind", "name"),
    [("net-consumption", "Grid"), ("heat-pump", "Heat pump"), ("wind_mill", "Wind mill"), ("pv3p", "Pv3p")],
)
def test_a_meter_of_an_unknown_type_is_named_after_its_type(kind: str, name: str) -> None:
    meter = Meter(eid=1, measurement_type=kind, enabled=True)
    assert meter_name(WORDS, (meter,), meter) == name


def test_two_meters_of_a_type_have_different_names() -> None:
    meters = tuple(Meter(eid=eid, measurement_type="production", enabled=True) for eid in (7, 8))
    assert [meter_name(WORDS, meters, meter) for meter in meters] == ["Production", "Production 2"]
