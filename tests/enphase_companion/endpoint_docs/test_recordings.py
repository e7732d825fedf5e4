"""Pages from recorded answers: from small recordings, and from those whose values are known."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from enphase_companion.commands.gateway_generate_docs import main
from tests.recordings import KNOWN, find_recording

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(home_folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the command without settings and returns status, stdout and stderr."""

    def run_command(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        written = capsys.readouterr()
        return status, written.out, written.err

    return run_command


def read_files(folder: Path) -> dict[str, str]:
    """Return the text of each file in a folder and those in it."""
    return {str(each.relative_to(folder)): each.read_text() for each in folder.rglob("*") if each.is_file()}


def find_serial_numbers(folder: Path) -> set[str]:
    """Return the serial numbers in a recording."""
    text = "".join(each.read_text() for each in folder.iterdir())
    return {
        *re.findall(r'"(?:serial_?[nN]um(?:ber)?|sn)": "?(\w{6,})', text),
        *re.findall(r"<sn>(\w+)</sn>", text),
    }


def test_recorded_answers_need_neither_gateway_nor_settings(run: Run, home_folder: Path) -> None:
    answers = home_folder / "answers"
    answers.mkdir()
    (answers / "ivp_meters").write_text('[{"eid": 1, "state": "enabled", "new": "a_word"}]')
    (answers / "ivp_meters_readings").write_text("")
    (answers / "ivp_unheard_of").write_text("{}")
    (answers / "_readme").write_text("Hello")
    status, out, err = run("--from", "answers", "--format", "markdown", "--output", "pages")
    assert status == 0
    assert "1 answered" in out
    assert err == "warning: answers: ignored, as the catalogue has no such endpoint: ivp_unheard_of\n"
    page = (home_folder / "pages" / "ivp_meters.md").read_text()
    assert "| `new` | string |  | always | `a_word` |" in page
    assert "| `phaseMode` | string |  | not seen |" in page
    assert "or its answer was not recorded" in (home_folder / "pages" / "ivp_meters_readings.md").read_text()


def test_an_answer_may_be_named_after_an_alias(run: Run, home_folder: Path) -> None:
    (home_folder / "answers").mkdir()
    (home_folder / "answers" / "home").write_text('{"db_size": "8 MB"}')
    (home_folder / "answers" / "home.json").write_text("")
    status, out, err = run("--from", "answers", "--format", "markdown", "--output", "pages")
    assert (status, err) == (0, "")
    assert "1 answered" in out
    assert "## Example" in (home_folder / "pages" / "home.json.md").read_text()


def test_a_recording_that_cannot_be_replaced_stays(
    run: Run, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home_folder / "answers").mkdir()
    (home_folder / "answers" / "ivp_meters").write_text('[{"eid": 1}]')
    assert run("--from", "answers", "--record", "recording")[0] == 0
    before = sorted(home_folder.iterdir())
    rename = Path.rename

    def rename_unless_new(path: Path, target: Path) -> Path:
        if path.name.endswith(".new"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_unless_new)
    assert run("--from", "answers", "--record", "recording", "--overwrite")[0] == 1
    assert sorted(home_folder.iterdir()) == before
    assert (home_folder / "recording" / "ivp_meters").exists()


def test_several_recordings_are_merged(run: Run, home_folder: Path) -> None:
    for number, more in enumerate(("", ', "only_here": 1')):
        folder = home_folder / str(number)
        folder.mkdir()
        (folder / "ivp_meters").write_text(f'[{{"eid": {number}{more}}}]')
        (folder / "info").write_text(
            f"<envoy_info><device><sn>12220000000{number}</sn><software>D8.{number}.1</software></device></envoy_info>"
        )
    assert run("--from", "0", "--from", "1")[0] == 0
    page = (home_folder / "docs" / "gateway" / "ivp_meters.adoc").read_text()
    assert "firmware `+8.0.1+`, `+8.1.1+`" in page
    assert "| `+eid+` | integer |  | always |" in page
    assert "| `+only_here+` | integer |  | optional |" in page
    assert json.loads(re.findall(r"----\n(.*?)\n----", page, re.DOTALL)[0]) == [{"eid": 1, "only_here": 1}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "recording answers: no such folder"),
        ({}, "no recorded answers: name the file of /ivp/meters ivp_meters"),
        ({"ivp_meters": "[{"}, "ivp_meters: invalid JSON"),
        ({"ivp_meters": "[]", "_recording.json": '{"outcomes": []}'}, "correct or remove it"),
        ({"ivp_meters": "[]", "_recording.json": '{"outcomes": {"/info": "lost"}}'}, "correct or remove it"),
        ({"info": "<envoy_info>"}, "info: invalid XML"),
        ({"info": "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"}, "info: invalid XML"),
        ({"ivp_meters": '[{"eid": NaN}]'}, "ivp_meters: invalid JSON"),
        ({"ivp_meters": '["\\ud800"]'}, "ivp_meters: invalid JSON"),
        ({"ivp_meters": "[" * 65 + "]" * 65}, "nested deeper than 64 levels"),
        ({"ivp_meters": "[" * 5000 + "]" * 5000}, "ivp_meters: invalid JSON"),
        ({"info": "<a>" * 65 + "</a>" * 65}, "nested deeper than 64 levels"),
        ({"ivp_meters": f"[{'1,' * 1_000_000}1]"}, "more than 1,000,000 values"),
        ({"info": f"<a>{'<b/>' * 1_000_000}</a>"}, "more than 1,000,000 values"),
        ({"ivp_meters": f"[{' ' * 16_000_000}]"}, "more than 16,000,000 bytes"),
    ],
)
@pytest.mark.slow
def test_an_invalid_recording_is_an_error(
    run: Run, home_folder: Path, content: dict[str, str] | None, message: str
) -> None:
    if content is not None:
        (home_folder / "answers").mkdir()
        for name, text in content.items():
            (home_folder / "answers" / name).write_text(text)
    status, out, err = run("--from", "answers")
    assert (status, out) == (1, "")
    assert err.startswith("error: ")
    assert message in err
    assert not (home_folder / "docs").exists()


def test_the_length_of_a_page_is_limited(run: Run, home_folder: Path) -> None:
    (home_folder / "answers").mkdir()
    many = {f"field_{number}": {"type": "enabled_" * 5} for number in range(3000)}
    (home_folder / "answers" / "ivp_meters").write_text(json.dumps([many]))
    assert run("--from", "answers", "--format", "markdown")[0] == 0
    page = (home_folder / "docs" / "gateway" / "ivp_meters.md").read_text()
    assert len(page) < 100_000
    assert "The answers have more than 1,000 fields; the others are omitted." in page
    assert "The example is omitted: it has more than 200,000 characters." in page


def test_xml_namespaces_are_removed(run: Run, home_folder: Path) -> None:
    (home_folder / "answers").mkdir()
    (home_folder / "answers" / "info").write_text(
        '<a xmlns="https://a.example/x y" xmlns:b="c"><d b:e="1">f</d></a>'
    )
    assert run("--from", "answers", "--format", "markdown")[0] == 0
    page = (home_folder / "docs" / "gateway" / "info.md").read_text()
    assert '<a>\n  <d e="1">' in page
    assert "a.example" not in page


@pytest.mark.parametrize("form", ["asciidoc", "markdown"])
@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.slow
def test_pages_of_a_recorded_gateway_have_no_serial_number(
    run: Run, home_folder: Path, name: str, form: str
) -> None:
    folder = find_recording(name)
    status, _, err = run("--from", str(folder), "--format", form, "--output", "pages")
    assert (status, err) == (0, "")
    pages = read_files(home_folder / "pages")
    everything = "".join(pages.values())
    assert [each for each in sorted(find_serial_numbers(folder)) if each in everything] == []
    assert re.search(rf"firmware `\+?{re.escape(name.partition('_')[0])}\+?`", everything)
    assert run("--from", str(folder), "--format", form, "--output", "pages")[1].startswith(
        f"pages: {len(pages) // 2} unchanged\nschemas: {len(pages) // 2} unchanged\n"
    )
    assert read_files(home_folder / "pages") == pages


def test_fields_missing_in_some_recordings_are_optional(run: Run, home_folder: Path) -> None:
    folders = [argument for name in KNOWN for argument in ("--from", str(find_recording(name)))]
    assert run(*folders, "--format", "markdown")[0] == 0
    pages = home_folder / "docs" / "gateway"
    inventory = (pages / "ivp_ensemble_inventory.md").read_text()
    assert "| `percentFull` | integer | % | optional | charge |" in inventory
    assert "`multimode-ongrid`" in inventory
    site = (pages / "production.json.md").read_text()
    # Standard gateways have no consumption; phases are there with details only.
    assert "| `consumption` | list of objects |  | optional |" in site
    assert "### `production[].lines[]`, `consumption[].lines[]`" in site
