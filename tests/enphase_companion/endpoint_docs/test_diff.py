"""--diff: the differences of two recordings, of two catalogues, and of a recording and the catalogue."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from enphase_companion.commands.gateway_generate_docs import main
from enphase_companion.endpoint_docs.answers import NOTES
from tests.recordings import find_recording

from ..cli_user import Result

Run = Callable[..., Result]
Compare = Callable[..., list[list[str | None]]]

SERIAL = "122249017193"


@pytest.fixture
def run(home_folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs --diff with these arguments."""

    def run_command(*arguments: str) -> Result:
        try:
            status = main(["--diff", *arguments])
        except SystemExit as ended:
            status = int(ended.code or 0)
        written = capsys.readouterr()
        return Result(status, written.out, written.err)

    return run_command


def record(folder: Path, name: str, answer: Any) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(answer if isinstance(answer, str) else json.dumps(answer))


@pytest.fixture
def compare(run: Run, home_folder: Path) -> Compare:
    """Return a function that returns the differences of two answers: key, change, before and after."""

    def compare_answers(old: Any, new: Any, name: str = "ivp_meters") -> list[list[str | None]]:
        for folder, answer in (("old", old), ("new", new)):
            record(home_folder / folder, name, answer)
        result = run("old", "new", "--format", "json")
        assert result.err == ""
        (comparison,) = json.loads(result.out)["comparisons"]
        assert result.status == bool(comparison["differences"])
        return [[each["key"], each["change"], each["old"], each["new"]] for each in comparison["differences"]]

    return compare_answers


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ([{"a": 1}], [{"a": 1, "b": {"c": 1, "d": [{"e": 1}]}}], ["[].b", "added", "", "object with 3 keys"]),
        ([{"a": 1, "b": "x"}], [{"a": 1}], ["[].b", "removed", "string", ""]),
        ([{"a": 1}], [{"a": "1"}], ["[].a", "type", "integer", "string"]),
        ([{"a": 1}], [{"a": 1}, {"a": "?"}], ["[].a", "type", "integer", "integer or string"]),
        ([{"a": {"b": 1}}], [{"a": [{"b": 1}]}], ["[].a", "type", "object", "list of objects"]),
        ([{"a": [1]}], [{"a": [1, "b"]}], ["[].a", "type", "list of numbers", "list"]),
        (
            [{"a": [[1]]}],
            [{"a": [["b"]]}],
            ["[].a", "type", "list of lists of numbers", "list of lists of strings"],
        ),
        ([{"a": [1, {"b": 1}]}], [{"a": [1, {"b": "c"}]}], ["[].a[].b", "type", "integer", "string"]),
        ([{"a": None}], [{"a": []}], ["[].a", "type", "null", "empty list"]),
        ([{"a": 1}], {"a": 1}, ["", "type", "list of objects", "object"]),
        ([{"a": []}], [{"a": [{"b": 1}]}], ["[].a", "emptiness", "empty list", "list of objects"]),
        ([{"a": {"b": 1}}], [{"a": {}}], ["[].a", "emptiness", "object", "empty object"]),
        ([{"a": None}], [{"a": 0}], ["[].a", "emptiness", "null", "integer"]),
        ([{"a": "x"}], [{"a": ""}], ["[].a", "emptiness", "string", "empty string"]),
        ([], [{"a": 1}], ["", "emptiness", "empty list", "list of objects"]),
    ],
)
def test_a_key_differs(compare: Compare, old: Any, new: Any, difference: list[str]) -> None:
    assert compare(old, new) == [difference]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([{"a": 5}], [{"a": 5.5}]),
        ([{"a": [5]}], [{"a": [5.5]}]),
        ([{"a": 1}, {"a": None}], [{"a": 2}]),
        ([{"a": []}, {"a": ["b"]}], [{"a": ["c"]}]),
        ([{"a": {f"{SERIAL}": {"b": 1}}}], [{"a": {"122249017194": {"b": 2}}}]),
        ([{"a": 1}], [{"a": 1}, {"a": 2}]),
    ],
)
def test_other_values_of_the_same_kind_are_no_difference(compare: Compare, old: Any, new: Any) -> None:
    assert compare(old, new) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "factor"),
    [
        ("activePower", [523, 611], [0.498, 0.702], 0.001),
        ("activePower", [523.125], [523125], 1000),
        ("activePower", [500], [512345], 1000),
        ("voltage", [230.1, 236.0], [229412, 231760], 1000),
        ("voltage", ["230.1"], ["229412"], 1000),
        ("timestamp", [1768478400], [1768478400000], 1000),
        ("actEnergyDlvd", [9573830], [9581.412], 0.001),
        ("not_in_the_catalogue", [2500], [0.0025], 1e-6),
    ],
)
def test_a_unit_changed_by_the_size_of_the_values(
    run: Run, home_folder: Path, name: str, old: list[Any], new: list[Any], factor: float
) -> None:
    for folder, values in (("old", old), ("new", new)):
        record(home_folder / folder, "ivp_meters_readings", [{name: value} for value in values])
    ((found,),) = [
        each["differences"] for each in json.loads(run("old", "new", "--format", "json").out)["comparisons"]
    ]
    assert (found["key"], found["change"]) == (f"[].{name}", "unit")
    assert found["factor"] == pytest.approx(factor)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        # The sun rises, and a new gateway begins to count.
        ("activePower", [4], [2624]),
        ("activePower", [4.19, 0.0], [2600.25, 0.0]),
        ("actEnergyDlvd", [9573830.125], [9573.25]),
        ("current", [0.0], [4100.5]),
        ("eid", [1], [1000]),
    ],
)
def test_another_moment_is_no_other_unit(compare: Compare, name: str, old: list[Any], new: list[Any]) -> None:
    answers = [[{name: value} for value in values] for values in (old, new)]
    assert compare(*answers, name="ivp_meters_readings") == []


def test_xml_has_neither_lists_nor_types(compare: Compare) -> None:
    old = "<envoy_info><device><sn>1</sn><new/></device><package name='a'><pn>1.5</pn></package></envoy_info>"
    new = (
        "<envoy_info><device><sn>1a</sn><new>5</new></device><package name='a'><pn>2</pn></package>"
        "<package name='b'><pn>x</pn><build/></package></envoy_info>"
    )
    assert compare(old, new, name="info") == [
        ["envoy_info.device.new", "emptiness", "empty element", "text"],
        ["envoy_info.package.build", "added", "", "empty element"],
    ]


def test_the_table_fits_the_terminal(run: Run, home_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(
        home_folder / "old", "ivp_meters", [{"eid": 1, "an_object_with_many_words": {"and_a_longer_key": []}}]
    )
    record(
        home_folder / "new",
        "ivp_meters",
        [{"eid": "1", "an_object_with_many_words": {"and_a_longer_key": [{}, {"b": 1}]}}],
    )
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", run("old", "new").out).splitlines()
    assert max(map(len, lines)) <= 60
    # A key that is too long is folded, not cut.
    assert "rds.and_a_longer_key" in "".join(lines)
    assert "string" in lines[-1]


def test_endpoints_and_queries_that_only_one_gateway_answers(run: Run, home_folder: Path) -> None:
    for name in ("ivp_meters", "production.json", "production.json_details_1"):
        record(home_folder / "old", name, {"a": 1})
    for name in ("ivp_meters_readings", "production.json"):
        record(home_folder / "new", name, {"a": 1})
    lines = run("old", "new").out.splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["/ivp/meters", "removed", "answered", "→", "not", "available"],
        ["/ivp/meters/readings", "added", "not", "available", "→", "answered"],
        ["/production.json?details=1", "removed", "answered", "→", "not", "available"],
    ]


@pytest.mark.parametrize(
    ("outcome", "change"), [("refused", "role"), ("missing", "removed"), ("invalid", "outcome")]
)
def test_an_endpoint_answers_otherwise(run: Run, home_folder: Path, outcome: str, change: str) -> None:
    for folder in ("old", "new"):
        record(home_folder / folder, "ivp_meters", [])
    record(home_folder / "old", "ivp_sc_pvlimit", {})
    record(home_folder / "old", "ivp_ss_gen_config", {})
    # What the second run did not request is not compared.
    record(home_folder / "new", NOTES, {"outcomes": {"/ivp/sc/pvlimit": outcome}})
    result = run("old", "new", "--format", "json")
    (found,) = json.loads(result.out)["comparisons"][0]["differences"]
    assert (found["request"], found["key"], found["change"]) == ("/ivp/sc/pvlimit", None, change)
    assert result.status == 1


def test_an_answer_that_is_html_is_another_outcome(run: Run, home_folder: Path) -> None:
    for folder in ("old", "new"):
        record(home_folder / folder, "ivp_meters", [])
    record(home_folder / "old", "ivp_sc_pvlimit", {})
    record(home_folder / "new", "ivp_sc_pvlimit", "<!DOCTYPE html><html></html>")
    result = run("old", "new")
    assert result.status == 1
    assert result.out.splitlines()[2:] == ["/ivp/sc/pvlimit   outcome  answered → invalid answer"]
    assert len(result.warnings) == 1
    assert "new/ivp_sc_pvlimit: invalid JSON" in result.warnings[0]


def test_an_endpoint_that_the_catalogue_does_not_know(run: Run, home_folder: Path) -> None:
    for folder in ("old", "new"):
        record(home_folder / folder, "ivp_meters", [])
        record(home_folder / folder, f"ivp_both_{SERIAL}", {"a": 1} if folder == "old" else {"b": "x"})
        record(home_folder / folder, "notes.txt", "From the cellar.")
    record(home_folder / "new", "ivp_lemon", {"a": 1})
    record(home_folder / "old", "pear.xml", "<?xml version='1.0'?><pear/>")
    record(home_folder / "new", "page", "<html><body>no answer</body></html>")
    result = run("old", "new")
    (both,) = {line.split()[0] for line in result.out.splitlines()[2:] if "both" in line}
    assert SERIAL not in result.out
    assert [line.split() for line in result.out.splitlines()[2:]] == [
        [both],
        ["a", "removed", "integer"],
        ["b", "added", "string"],
        ["ivp_lemon", "added", "not", "available", "→", "answered"],
        ["pear.xml", "removed", "answered", "→", "not", "available"],
    ]
    assert len(result.warnings) == 2
    (comparison,) = json.loads(run("catalogue", "new", "--format", "json").out)["comparisons"]
    found = {each["request"]: each["change"] for each in comparison["differences"] if each["key"] is None}
    assert found["ivp_lemon"] == "added"


CATALOGUE = """
title = "Meters"
[[endpoint]]
path = "/ivp/meters"
description = "The meters."
methods = {{ GET = "{role}" }}
safety = "reads"
source = ["a recording"]
[endpoint.fields."[]"]
eid = ["integer", "", "number"]
power = ["{kind}", "{unit}", "power"]
more = ["object", "", "more"]
[endpoint.fields."[].more"]
"{{name}}" = ["integer", "", "any"]
"""


def test_two_catalogues(run: Run, home_folder: Path) -> None:
    for folder, facts in (("old", ("owner", "number", "W")), ("new", ("installer", "number", "mW"))):
        role, kind, unit = facts
        record(home_folder / folder, "meters.toml", CATALOGUE.format(role=role, kind=kind, unit=unit))
    (comparison,) = json.loads(run("old", "new", "--format", "json").out)["comparisons"]
    assert (comparison["old"], comparison["new"]) == ("catalogue", "catalogue")
    assert [[*each.values()][1:5] for each in comparison["differences"]] == [
        [None, "role", "GET: owner", "GET: installer"],
        ["[].power", "unit", "W", "mW"],
    ]


def test_a_recording_and_a_catalogue(run: Run, home_folder: Path) -> None:
    record(home_folder / "old", "meters.toml", CATALOGUE.format(role="owner", kind="number", unit="W"))
    record(
        home_folder / "new",
        "ivp_meters",
        [{"power": "a", "new": None, "more": {"lemon": 5, "pear": 6}}, {"power": "b"}],
    )
    result = run("old", "new", "--format", "json")
    assert result.err == ""
    assert [[*each.values()][1:5] for each in json.loads(result.out)["comparisons"][0]["differences"]] == [
        ["[].eid", "removed", "integer", ""],
        ["[].new", "added", "", "null"],
        ["[].power", "type", "number", "string"],
    ]
    # An empty list contradicts nothing.
    record(home_folder / "new", "ivp_meters", [])
    assert run("new", "old").status == 0


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_equal_recordings_have_no_difference(run: Run, home_folder: Path, form: str) -> None:
    for folder in ("old", "new"):
        record(home_folder / folder, "ivp_meters", [{"eid": 1}])
    result = run("old", "new", "--format", form)
    assert (result.status, result.err) == (0, "")
    assert ('"differences": []' if form == "json" else "o differences") in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("old",), "argument --diff: expected 2 arguments"),
        (("old", "nowhere"), "--diff: recording nowhere: no such folder"),
        (("old", "html"), "--diff: recording html: no recorded answers"),
        (("old", "wrong"), "--diff: meters.toml: "),
        (("old", "old", "--format", "asciidoc"), "with --diff, choose from table, markdown, json"),
        (("old", "old", "--from", "old"), "argument --diff: not allowed with --from"),
        (("old", "old", "--output", "page.md"), "argument --diff: not allowed with --from"),
    ],
)
def test_an_error_is_no_difference(
    run: Run, home_folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    record(home_folder / "old", "ivp_meters", [])
    record(home_folder / "html", "ivp_meters", "<html>")
    record(home_folder / "wrong", "meters.toml", "[[endpoint]]")
    result = run(*arguments)
    assert (result.status, result.out) == (2, "")
    assert message in result.error


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_neither_values_nor_private_names_are_shown(run: Run, home_folder: Path, form: str) -> None:
    secrets = (SERIAL, "00:1D:C0:12:34:56", "192.168.1.77", "Smith", "smith@mail.example.org", "kitchen.lan")
    for folder in ("old", "new"):
        record(home_folder / folder, "ivp_meters", [{"eid": 1}])
    record(
        home_folder / "new",
        "ivp_meters",
        [{"eid": "731", **{each: {"hostname": each, "count": 4711} for each in secrets}, "owner": secrets}],
    )
    result = run("old", "new", "--format", form)
    assert result.status == 1
    assert "{id}" in result.out
    for each in (*secrets, "731", "4711", str(home_folder)):
        assert each not in result.out


def test_names_of_a_gateway_have_no_effect_in_the_output(run: Run, home_folder: Path) -> None:
    record(home_folder / "old", "ivp_meters", [{"eid": 1}])
    record(home_folder / "new", "ivp_meters", [{"eid": 1, "[bold]a|b`\x1b[31m": 1, "c\u202ed": 1}])
    for form in ("table", "markdown"):
        out = run("old", "new", "--format", form).out
        assert "\x1b" not in out
        assert "\u202e" not in out


def test_the_length_of_the_output_is_limited(run: Run, home_folder: Path) -> None:
    record(home_folder / "old", "ivp_meters", [{"eid": 1}])
    record(home_folder / "new", "ivp_meters", [{"eid": 1, **{f"key_{each}": 1 for each in range(1_200)}}])
    for form in ("table", "markdown"):
        out = run("old", "new", "--format", form).out
        assert len(out.splitlines()) < 1_100
        assert "200 more differences are omitted: --format json has all." in out
    (comparison,) = json.loads(run("old", "new", "--format", "json").out)["comparisons"]
    assert len(comparison["differences"]) == 1_200


@pytest.mark.slow
def test_the_page_of_firmware_differences_is_what_the_command_prints(run: Run) -> None:
    page = (Path(__file__).parents[3] / "docs" / "firmware-differences.md").read_text()
    command = page.partition("```sh\n")[2].partition("```")[0].replace("\\\n", " ")
    assert command.startswith("enphase-gateway-generate-docs --format markdown ")
    arguments = [
        each if each == "--diff" else str(find_recording(each))
        for each in command.partition(" --diff ")[2].split()
    ]
    made = run(*arguments, "--format", "markdown").out
    assert page.partition("## From")[2] == made.partition("## From")[2] != ""
