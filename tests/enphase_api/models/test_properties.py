"""Any JSON is parsed to finite values or raises an error of this client."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enphase_api import EnphaseError
from enphase_api.http import parse_json
from enphase_api.models import Batteries, Info, Inverter, Live, Meter, Production, Readings, Report, Site

from .helpers import JSON, KEYS, SCALARS, list_numbers

pytestmark = pytest.mark.slow

METERS = tuple(
    Meter(eid=eid, measurement_type=kind, enabled=True, phase_mode=mode, phase_count=2)
    for eid, (kind, mode) in enumerate(
        [
            ("production", "three"),
            ("net-consumption", "split"),
            ("storage", "split"),
            ("total-consumption", None),
        ]
    )
)

LISTS = st.lists(st.dictionaries(KEYS, JSON, max_size=8), max_size=5)
OBJECTS = st.dictionaries(KEYS, LISTS | JSON, max_size=6)
ANSWERS = JSON | LISTS | OBJECTS

PARSERS: dict[str, Callable[[Any], Any]] = {
    "meters": Meter.list_from_json,
    "readings": lambda answer: Readings.from_json(answer, METERS),
    "site": lambda answer: Site.from_readings(Readings.from_json(answer, METERS)),
    "reports": Report.list_from_json,
    "production": Production.from_json,
    "inverters": Inverter.list_from_json,
    "inventory": Batteries.from_json,
    "power": lambda answer: Batteries.from_json(
        [{"type": "ENCHARGE", "devices": [{"serial_num": "1"}]}], answer
    ),
    "secctrl": lambda answer: Batteries.from_json(
        [{"type": "ENCHARGE", "devices": [{"serial_num": "1"}]}], {}, answer
    ),
    "live": Live.from_json,
}


@pytest.mark.parametrize("parser", PARSERS)
@given(answer=ANSWERS)
def test_parsers_raise_only_errors_of_this_client(parser: str, answer: Any) -> None:
    try:
        parsed = PARSERS[parser](answer)
    except EnphaseError:
        return
    assert all(map(math.isfinite, list_numbers(parsed)))


@given(answer=st.lists(st.fixed_dictionaries({"eid": st.integers(0, 3)}, optional={
    "activePower": SCALARS, "voltage": SCALARS, "pwrFactor": SCALARS, "apparentPower": SCALARS,
    "actEnergyDlvd": SCALARS, "timestamp": SCALARS, "channels": LISTS,
})))  # fmt: skip
def test_any_list_of_readings_is_parsed(answer: Any) -> None:
    readings = Readings.from_json(answer, METERS)
    assert {each.meter.eid for each in readings} == {entry["eid"] for entry in answer}
    for each in readings:
        assert len(each.phases) <= each.meter.phase_count
        assert each.as_report()["reportType"] == each.meter.measurement_type


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_json_or_an_error_of_this_client(body: bytes) -> None:
    with suppress(EnphaseError):
        parse_json(body, "/ivp/x", "the gateway")


DESCRIPTION = """<envoy_info><device><sn>{0}</sn><pn>{1}</pn><software>{0}</software>
<imeter>{1}</imeter></device><time>{1}</time></envoy_info>"""
#: Texts of an element, with the characters of versions and serial numbers.
WORDS = st.text() | st.text(alphabet="D8.1") | st.text(alphabet="12", max_size=40)


@given(
    st.binary()
    | st.text(alphabet="<>/&;!?[]\"'= envoy_infodeviceswt18").map(str.encode)
    | st.tuples(WORDS, WORDS).map(lambda texts: DESCRIPTION.format(*texts).encode("utf-8", "surrogatepass"))
)
def test_any_description_is_parsed_or_an_error_of_this_client(answer: bytes) -> None:
    try:
        info = Info.from_xml(answer)
        info.require_tokens()
    except EnphaseError:
        return
    assert re.fullmatch(r"[0-9]{1,32}", info.serial_number)
    assert re.fullmatch(r"[0-9.]{1,31}", info.firmware)
    assert re.fullmatch(r"[0-9A-Za-z-]{1,32}", info.part_number or "-")
