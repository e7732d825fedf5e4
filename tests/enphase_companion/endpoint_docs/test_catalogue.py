"""The catalogue holds together: each endpoint once, each group there, only reading marked safe."""

from __future__ import annotations

import pytest

from enphase_companion.endpoint_docs.catalogue import Endpoint, catalogue, file_name

ALL = catalogue()
KINDS = ("text", "integer", "number", "true or false", "object", "list", "list of objects", "list of text")


def test_each_endpoint_is_there_once_with_a_page_of_its_own() -> None:
    assert len({each.path for each in ALL}) == len(ALL)
    assert len({each.page for each in ALL}) == len(ALL)


@pytest.mark.parametrize("endpoint", ALL, ids=lambda each: each.path)
def test_what_is_said_of_an_endpoint_is_complete(endpoint: Endpoint) -> None:
    assert endpoint.path.startswith("/")
    assert endpoint.summary.endswith(".")
    assert endpoint.methods
    assert endpoint.format in ("json", "xml")
    for fields in endpoint.fields.values():
        for field in fields.values():
            assert field.type in KINDS
            assert field.meaning


def test_a_request_has_the_name_of_its_recording() -> None:
    assert file_name("/production.json?details=1") == "production.json_details_1"
    assert file_name("/ivp/meters/readings") == "ivp_meters_readings"
