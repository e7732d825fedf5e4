"""The file of the day: what a restart continues, and what is not believed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pytest

from enphase_api.models import Quantities
from enphase_companion.displays.day import Day
from enphase_companion.displays.state import DisplayState
from enphase_companion.message import Message, Sample

ZURICH = ZoneInfo("Europe/Zurich")
MIDNIGHT = datetime(2026, 6, 21, tzinfo=ZURICH).timestamp()
GATEWAY = "122300000001"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the file."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return tmp_path / "state" / f"hat-{GATEWAY}.json"


def start() -> DisplayState:
    return DisplayState(lambda: None, zone=ZURICH, keeps_day=True)


def take(state: DisplayState, hour: float, energy: float) -> None:
    quantities = Quantities(active_power=1_500.0, energy_delivered=energy)
    at = MIDNIGHT + hour * 3_600
    state.take_message(Message(GATEWAY, at, (Sample("production", 0, round(at * 1000), quantities),)))


def write(state: DisplayState) -> None:
    assert state.day_file is not None
    state.day_file.write()


def is_due(state: DisplayState) -> bool:
    assert state.day_file is not None
    return state.day_file.is_due


def test_a_restart_continues_the_day_and_counts_the_energy_between() -> None:
    state = start()
    for hour, energy in ((-0.1, 1_000), (0.1, 1_100), (10, 3_000)):
        take(state, hour, energy)
    write(state)
    restarted = start()
    take(restarted, 12, 5_000)
    assert restarted.day.produced == 4_000
    assert restarted.day.is_whole
    strip = restarted.day.draw(1_500)
    assert strip[0].any(axis=1).nonzero()[0].tolist() == [0, 40, 48]


@pytest.mark.parametrize(("stopped", "expected"), [(-0.1, (500, True)), (-3, (0, False))])
def test_of_the_day_before_only_a_counter_shortly_before_midnight_is_used(
    stopped: float, expected: tuple[float, bool]
) -> None:
    state = start()
    take(state, stopped, 1_000)
    write(state)
    restarted = start()
    take(restarted, 5, 1_500)
    assert (restarted.day.produced, restarted.day.is_whole) == expected
    assert restarted.day.draw(1_500).shape[1] == 21


def test_the_file_is_due_once_a_quarter_hour_has_ended(file: Path) -> None:
    state = start()
    assert not is_due(state)
    seen = []
    for minute in (0, 5, 14, 16, 29, 31):
        take(state, minute / 60, 1_000)
        seen.append(is_due(state))
        if seen[-1]:
            write(state)
    assert seen == [True, False, False, True, False, True]
    assert file.stat().st_size < 10_000


@pytest.mark.parametrize(
    "change",
    [
        b"",
        b"[]",
        b"null",
        b'{"sums": 5}',
        {"columns": 101},
        {"columns": "many"},
        {"sums": [[0.0] * 100]},
        {"sums": [["x"] * 100] * 2},
        {"counts": None},
        {"energies": [1.0]},
        {"counters": [[1.0], None]},
        {"read_at": None},
        b" " * 70_000,
    ],
)
def test_a_damaged_file_is_ignored_and_replaced(file: Path, change: bytes | dict[str, object]) -> None:
    state = start()
    take(state, 1, 1_000)
    write(state)
    content = orjson.loads(file.read_bytes())
    file.write_bytes(change if isinstance(change, bytes) else orjson.dumps(content | change))
    restarted = start()
    take(restarted, 2, 1_500)
    assert restarted.day.produced == 0
    write(restarted)
    assert orjson.loads(file.read_bytes())["columns"] == 9


def test_each_gateway_has_its_own_file() -> None:
    state = start()
    take(state, 1, 1_000)
    write(state)
    other = start()
    other.take_message(Message("122300000002", MIDNIGHT + 7_200, ()))
    assert other.day.produced is None


def test_a_folder_that_is_not_writable_is_logged_once(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.parent.write_text("no folder")
    state = start()
    for hour in (1, 2):
        take(state, hour, 1_000)
        write(state)
    (record,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert "cannot be written" in record.getMessage()


def test_without_a_wish_for_it_there_is_no_file(file: Path) -> None:
    state = DisplayState(lambda: None, zone=ZURICH)
    take(state, 1, 1_000)
    assert state.day_file is None
    assert not file.parent.exists()


def test_the_day_survives_json_exactly() -> None:
    state = start()
    for hour in range(1, 9):
        take(state, hour, 1_000.0 * hour)
    day = Day(ZURICH)
    day.restore(orjson.loads(orjson.dumps(state.day.as_content())))
    assert np.array_equal(day.draw(1_500), state.day.draw(1_500))
    assert day.as_content() == state.day.as_content()
