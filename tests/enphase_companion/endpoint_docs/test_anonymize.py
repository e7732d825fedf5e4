"""Anonymization: values that identify a person, location or device are replaced, all others are kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from enphase_companion.endpoint_docs.anonymize import anonymize
from enphase_companion.endpoint_docs.answers import Answer, Outcome, Recording
from enphase_companion.endpoint_docs.catalogue import load_catalogue
from enphase_companion.endpoint_docs.example import serialize, shorten
from enphase_companion.endpoint_docs.placeholders import Placeholders

HOME, PRODUCTION = "/home.json", "/api/v1/production/inverters"

TOKEN = "eyJraWQiOiI3ZDEwMDA1ZC03ODk5IiwidHlwIjoiSldUIiwiYWxnIjoiRVMyNTYifQ.eyJhdWQi.c2ln"


def anonymize_answer(content: Any, path: str = HOME, inverters: Any = ()) -> Any:
    """Return the anonymized answer to this path, of a gateway that also answers `inverters`."""
    answers = {
        PRODUCTION: Answer(Outcome.ANSWERED, list(inverters)),
        path: Answer(Outcome.ANSWERED, content),
    }
    return anonymize(Recording("8.2", answers), load_catalogue(), Placeholders()).answers[path].content


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("anything", "owner@house.example"),
        ("anything", "write to owner@house.example, please"),
        ("anything", TOKEN),
        ("anything", "192.168.178.20"),
        ("anything", "https://192.168.178.20:443/home"),
        ("anything", "fe80::21d:c0ff:fe6a:1234"),
        ("anything", "00:1D:C0:6A:12:34"),
        ("anything", "001dc06a1234"),
        ("anything", "122249017193"),
        ("anything", "4f9a1c0de3b24d6f8a7b6c5d4e3f2a1b"),
        ("anything", "6f1ed002-ab12-4c3d-9e8f-001122334455"),
        ("anything", "Müller"),
        ("anything", "Miller"),
        ("anything", "Anna Miller"),
        ("anything", "12 Sunny Lane"),
        ("serialNumber", "122249017193"),
        ("serial_num", "envoyserial"),
        ("sn", 122249017193),
        ("unheard_of", 122249017193),
        ("ssid", "millers-wifi"),
        ("hostName", "millers-gateway"),
        ("user_name", "miller"),
        ("siteName", "miller"),
        ("load_name", "garage"),
        ("wpa_psk", "hunter2"),
        ("pin", 4711),
        ("pincode", 4711),
        ("contact", 41791234567),
        ("modem", 490154203237518),
        ("anything", "1017 AB"),
        ("anything", "SW1A 1AA"),
        ("zip_code", 90210),
        ("city", "springfield"),
        ("latitude", 47.3769),
        ("lon", "8.5417"),
        ("coordinates", [47.3769, 8.5417]),
        ("timezone", "Europe/Zurich"),
        ("utc_offset", 19800),
    ],
)
def test_identifying_values_are_replaced(name: str, secret: Any) -> None:
    before = {"alerts": [{name: secret}], name: secret, "network": {"interfaces": [{name: secret}]}}
    after = serialize(shorten(anonymize_answer(before)), "json")
    for each in secret if isinstance(secret, list) else [secret]:
        assert str(each) not in after
    assert f'"{name}"' in after, "the field name is kept"


@pytest.mark.parametrize(
    "name",
    [
        "122249017193",
        "00:1D:C0:6A:12:34",
        "001dc06a1234",
        "192.168.178.20",
        "fe80::21d:c0ff:fe6a:1234",
        "me@house.example",
        "millers-gateway.local",
        "gateway.miller.home",
        "Miller",
        "Anna Miller",
        "AnnaMiller",
        "Müller",
        TOKEN,
        "6f1ed002-ab12-4c3d-9e8f-001122334455",
        "a" * 500,
    ],
)
def test_identifying_field_names_are_replaced(name: str) -> None:
    after = anonymize_answer({"network": {name: 1}, name: {"state": "enabled"}, "list": [{name: [1]}]})
    assert name not in json.dumps(after, ensure_ascii=False)
    (new,) = after["network"]
    assert after == {"network": {new: 1}, new: {"state": "enabled"}, "list": [{new: [1]}]}, (
        "equal names get equal placeholders"
    )


@pytest.mark.parametrize("holder", ["hosts", "userNames", "ssids", "sites", "site", "serials", "customer"])
def test_names_as_keys_are_replaced(holder: str) -> None:
    after = anonymize_answer({holder: {"millers-house": {"type": "x"}, "status": "ok", "id": 1}})
    assert "millers" not in json.dumps(after)
    assert after[holder].items() >= {"status": "ok", "id": 1}.items()


def test_a_name_is_replaced_wherever_it_occurs() -> None:
    after = anonymize_answer(
        {"hostName": "millers-gateway", "seen": "millers-gateway", "leases": {"millers-gateway": 1}}
    )
    assert "millers" not in json.dumps(after)
    assert len(after["leases"]) == 1


def test_identifying_names_of_xml_elements_and_attributes_are_replaced() -> None:
    tree = {"devices": {"Miller": {"@AnnaMiller": "x", "@type": "x", "pn": "800-01374-r02"}}}
    after = anonymize_answer(tree, "/info")
    assert "Miller" not in json.dumps(after)
    assert "<name-" in serialize(after, "xml")


def test_free_text_is_replaced() -> None:
    assert anonymize_answer({"note": "Miller's gateway is at 192.168.178.20"}) == {"note": "text"}


@pytest.mark.parametrize("value", [1.5, -122249017193, 1e300])
def test_an_invalid_number_in_a_serial_number_field_is_replaced(value: float) -> None:
    assert anonymize_answer({"serial_num": value}) == {"serial_num": 0}


@pytest.mark.parametrize(
    "text", ["1" * 4000, "a.b" * 1000, "a@b." * 1000, ":a" * 1000, "eyJ" * 1000, "-----BEGIN A-----" * 300]
)
def test_a_long_string_is_replaced_without_examination(text: str) -> None:
    assert anonymize_answer({"anything": text, "serial_num": text}) == {
        "anything": "text",
        "serial_num": "text",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "enabled"),
        ("status", "ENCHG_STATE_READY"),
        ("condition", "envoy.cond_flags.pcu_ctrl.dc-pwr-low"),
        ("img_pnum_running", "520-00082-r01-v04.28.07"),
        ("fw_version", "001.002.1.7.2"),
        ("version", "3.0.5654_rel/31.13"),
        ("flags_hex", "0x0000000000000000"),
        ("ip", "0.0.0.0"),
        ("ip", "127.0.0.1"),
        ("netmask", "255.255.255.0"),
        ("size", "8 MB"),
        ("percent", "2"),
        ("whLifetime", 14405464.86),
        ("joulesProduced", 297173835012),
        ("vahLifetime", 29717383501),
        ("power", "1234 VA"),
        ("eid", 704643328),
        ("chaneid", 1627390225),
        ("dhcp", True),
        ("essential_start_time", 28800.0),
        ("nothing", None),
    ],
)
def test_other_values_are_kept(name: str, value: Any) -> None:
    assert anonymize_answer({name: value}) == {name: value}


def test_placeholders_have_the_form_of_the_original_and_are_equal_for_equal_values() -> None:
    inverters = [{"serialNumber": serial} for serial in ("122249017193", "122249017194", "122249017193")]
    first, second, third = (each["serialNumber"] for each in anonymize_answer(inverters, PRODUCTION))
    assert first == third != second
    assert len(first) == 12
    assert first.isdecimal()
    network = anonymize_answer(
        {"mac": "00:1D:C0:6A:12:34", "ip": "10.0.0.7", "mail": "a@b.example", "e": "a@b.example"}
    )
    assert network == {
        "mac": "00:00:5E:00:53:01",
        "ip": "192.0.2.1",
        "mail": "example",
        "e": "owner1@example.com",
    }


@pytest.mark.parametrize(
    "secret", [122249017193, 41791234567, "0791234567", "12345678", "47.3769", "-122.41941"]
)
def test_identifying_values_of_known_fields_without_a_unit_are_replaced(secret: Any) -> None:
    path, name = ("/ivp/meters", "eid") if isinstance(secret, int) else ("/inventory.json", "part_num")
    after = anonymize_answer([{name: secret, "devices": [{name: secret}]}], path)
    assert str(secret) not in json.dumps(after)


@pytest.mark.parametrize(("zone", "shown"), [(" NZST", " UTC"), ("+12:00", "+00:00"), ("-0930", "+00:00")])
def test_the_time_zone_of_a_time_is_replaced(zone: str, shown: str) -> None:
    content = {"last_update": 1785332858, "date": f"2026-07-29T13:47:37{zone}"}
    assert anonymize_answer(content)["date"] == f"2026-01-15T11:59:59{shown}"


def test_coordinates_in_texts_are_replaced_wherever_they_occur() -> None:
    content = {"site": {"latitude": "47.3769", "longitude": "8.5417"}, "x": 47.3769, "y": [8.5417]}
    after = anonymize_answer(content)
    assert "47.3769" not in json.dumps(after)
    assert "8.5417" not in json.dumps(after)


def test_a_serial_number_is_replaced_wherever_it_occurs() -> None:
    content = {"alerts": ["envoyserial is dark"], "eim": "122249017193EIM1", "key": {"envoyserial": 1}}
    after = anonymize_answer(content, inverters=[{"serialNumber": "envoyserial"}])
    assert "envoyserial" not in json.dumps(after)
    assert after["eim"].endswith("EIM1")
    assert after["eim"][:12].isdecimal()


def test_timestamps_are_shifted_equally_and_keep_their_form() -> None:
    after = anonymize_answer(
        {
            "last_update": 1785332858,
            "created": "1785332800",
            "timestamp": 1785332858000,
            "lastReportDate": 0,
            "date": "2026-07-29 13:47:37 UTC",
            "current_date": "07/29/2026",
            "current_time": "13:47",
        }
    )
    assert after == {
        "last_update": 1768478400,
        "created": "1768478342",
        "timestamp": 1768478400000,
        "lastReportDate": 0,
        "date": "2026-01-15 11:59:59 UTC",
        "current_date": "01/15/2026",
        "current_time": "12:00",
    }


def test_equal_answers_give_equal_results() -> None:
    content = {"b": "192.168.178.20", "a": "192.168.178.21", "serial": ["122249017193", "122249017194"]}
    assert anonymize_answer(content) == anonymize_answer(content)
