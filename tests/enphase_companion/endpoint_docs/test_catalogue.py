"""The catalogue is consistent: each endpoint once, each fact complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from enphase_companion.endpoint_docs.catalogue import (
    CatalogueError,
    Endpoint,
    Safety,
    file_name,
    find_field,
    load_catalogue,
    parse_chapter,
)
from enphase_companion.simulator.faults import GATEWAYS, latency

ALL = load_catalogue()

ENTRY = """
title = "A chapter"
[groups.power]
w = ["number", "W", "power"]
[[endpoint]]
path = "/a/{eid}"
description = "It answers."
methods = { GET = "owner" }
safety = "reads"
source = ["a recording"]
[endpoint.fields.""]
"*" = "power"
state = ["string", "", "a state", ["on", "off"]]
"{name}" = ["integer", "", "a counter"]
"""


def test_each_endpoint_is_unique_and_has_its_own_page() -> None:
    assert len({each.path for each in ALL}) == len(ALL)
    assert len({each.page for each in ALL}) == len(ALL)


def test_the_documentation_has_their_number() -> None:
    text = (Path(__file__).parents[3] / "docs" / "scripts.md").read_text()
    assert re.findall(r"catalogue\]\(\S+\) of (\d+) endpoints", text) == [str(len(ALL))]


@pytest.mark.parametrize("endpoint", ALL, ids=lambda each: each.path)
def test_the_facts_about_an_endpoint_are_complete(endpoint: Endpoint) -> None:
    assert endpoint.path.startswith("/")
    assert endpoint.description.endswith(".")
    # Only these formats are parsed.
    assert not endpoint.requests or endpoint.format in ("json", "xml")
    for fields in endpoint.fields.values():
        assert all(field.meaning for field in fields.values())
    versions = [[int(part) for part in each.split(".")] for each in endpoint.firmware]
    assert versions == sorted(versions)
    # Names that anybody can look up.
    assert not re.search(r"/work|/tmp|/home/|localhost|\b192\.168", " ".join(endpoint.source))


def test_the_durations_include_those_of_the_simulated_gateways() -> None:
    compared = set()
    for gateway in GATEWAYS:
        unmeasured = latency(gateway, "/unmeasured")
        for endpoint in ALL:
            seconds = latency(gateway, endpoint.path)
            if seconds != unmeasured and endpoint.seconds:
                assert endpoint.seconds[0] <= seconds <= endpoint.seconds[1], endpoint.path
                compared.add(endpoint.path)
    assert "/ivp/meters/readings" in compared


def test_an_entry_is_parsed() -> None:
    (endpoint,) = parse_chapter(ENTRY, "a.toml")
    assert (endpoint.chapter, endpoint.safety, endpoint.source) == (
        "A chapter",
        Safety.READS,
        ("a recording",),
    )
    # A path with a value to insert is never requested.
    assert (endpoint.safe, endpoint.requests, endpoint.page) == (True, (), "a_eid")
    fields = endpoint.fields[""]
    assert (fields["w"].unit, fields["state"].values) == ("W", ("on", "off"))
    assert find_field(fields, "another").meaning == "a counter"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('description = "It answers."', "", "/a/{eid}: description is missing"),
        ('description = "It answers."', 'description = ""', "/a/{eid}: description is missing"),
        ('methods = { GET = "owner" }', "methods = {}", "/a/{eid}: methods is missing"),
        ('safety = "reads"', "", "/a/{eid}: safety is missing"),
        ('source = ["a recording"]', "source = []", "/a/{eid}: source is missing"),
        ('path = "/a/{eid}"', "", "endpoint 1: path is missing"),
        ('GET = "owner"', 'GET = "everybody"', "methods: GET: 'everybody' is not one of none, "),
        ('GET = "owner"', 'READ = "owner"', "methods: 'READ' is not one of GET, "),
        ('safety = "reads"', 'safety = "yes"', "safety: 'yes' is not one of reads, acts, unknown"),
        ('safety = "reads"', 'safety = "reads"\nsafe = true', "safe is not a key of an endpoint"),
        ('safety = "reads"', 'safety = "reads"\nfirmware = ["D8"]', "'D8' is not a firmware version"),
        ('safety = "reads"', 'safety = "reads"\nsince = "new"', "'new' is not a firmware version"),
        ('safety = "reads"', 'safety = "reads"\nseconds = [2, 1]', "seconds: 2 to 1 is not a range"),
        (
            'safety = "reads"',
            'safety = "reads"\nseconds = [1]',
            "seconds must be the shortest and the longest",
        ),
        ('"*" = "power"', '"*" = "energy"', "fields of '': there is no group 'energy'"),
        ('["number", "W"', '["float", "W"', "w: 'float' is not one of string, "),
        ('["number", "W", "power"]', '["number", "W"]', "w: needs a type, a unit and a meaning"),
        ("[[endpoint]]", "[[endpoint]", "a.toml: "),
    ],
)
def test_an_invalid_entry_is_an_error_that_names_it(before: str, after: str, message: str) -> None:
    assert before in ENTRY
    with pytest.raises(CatalogueError) as caught:
        parse_chapter(ENTRY.replace(before, after), "a.toml")
    assert str(caught.value).startswith("a.toml: ")
    assert message in str(caught.value)


def test_the_file_name_of_a_request() -> None:
    assert file_name("/production.json?details=1") == "production.json_details_1"
    assert file_name("/ivp/meters/readings") == "ivp_meters_readings"
    assert file_name("/ivp/meters/{eid}") == "ivp_meters_eid"
