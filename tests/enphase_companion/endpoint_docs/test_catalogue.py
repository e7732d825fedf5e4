"""The catalogue is consistent: each endpoint once, each fact complete."""

from __future__ import annotations

import pytest

from enphase_companion.endpoint_docs.catalogue import Endpoint, file_name, load_catalogue

ALL = load_catalogue()
TYPES = ("string", "integer", "number", "boolean", "object", "list", "list of objects", "list of strings")


def test_each_endpoint_is_unique_and_has_its_own_page() -> None:
    assert len({each.path for each in ALL}) == len(ALL)
    assert len({each.page for each in ALL}) == len(ALL)


@pytest.mark.parametrize("endpoint", ALL, ids=lambda each: each.path)
def test_the_facts_about_an_endpoint_are_complete(endpoint: Endpoint) -> None:
    assert endpoint.path.startswith("/")
    assert endpoint.summary.endswith(".")
    assert endpoint.methods
    assert endpoint.format in ("json", "xml")
    for fields in endpoint.fields.values():
        for field in fields.values():
            assert field.type in TYPES
            assert field.meaning


def test_the_file_name_of_a_request() -> None:
    assert file_name("/production.json?details=1") == "production.json_details_1"
    assert file_name("/ivp/meters/readings") == "ivp_meters_readings"
