"""A short run of the refresh benchmark, and its results that do not depend on the machine."""

import json
import subprocess
import sys

import pytest

from development.steps import PROJECT

from .helpers import COMMAND

# They take a minute and a half on an idle machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

KEYS = ["benchmark", "figure", "unit", "ours", "reference", "ratio"]


@pytest.fixture(scope="module")
def lines() -> list[dict[str, str | float | None]]:
    """Return the results of a short run of all parts."""
    run = subprocess.run(
        [sys.executable, COMMAND, "refresh", "--quick", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.fixture(scope="module")
def figures(lines: list[dict[str, str | float | None]]) -> dict[str, tuple[float, float]]:
    """Return our value and that of the reference by figure."""
    return {str(line["figure"]): (float(line["ours"] or 0), float(line["reference"] or 0)) for line in lines}


def test_every_result_has_the_same_keys_and_a_unique_name(
    lines: list[dict[str, str | float | None]],
) -> None:
    assert all(list(line) == KEYS for line in lines)
    assert {line["benchmark"] for line in lines} == {"refresh"}
    assert len({line["figure"] for line in lines}) == len(lines)


def test_all_documented_figures_are_measured(figures: dict[str, tuple[float, float]]) -> None:
    assert set(figures) >= {
        "requests_per_refresh",
        "gateway_busy_per_refresh",
        "client_cpu_per_refresh",
        "setup_to_states",
        "event_loop_per_refresh",
        "states_written_per_refresh",
        "memory",
    }
    assert all(ours > 0 < reference for name, (ours, reference) in figures.items() if "busy" in name)


@pytest.mark.parametrize(
    ("suffix", "reference", "most"), [("", 5, 1.2), ("_with_battery", 10, 1.2), ("_with_everything", 14, 1.5)]
)
def test_a_refresh_is_little_more_than_one_request_on_average(
    figures: dict[str, tuple[float, float]], suffix: str, reference: int, most: float
) -> None:
    assert figures[f"requests_per_refresh{suffix}"] == (1, reference)
    averaged, _ = figures[f"requests_per_refresh{suffix}_averaged"]
    assert 1 < averaged <= most


def test_only_changed_states_are_written(figures: dict[str, tuple[float, float]]) -> None:
    assert figures["states_written_unchanged_per_refresh"][0] == 0
    ours, reference = figures["states_written_per_refresh"]
    assert 0 < ours < reference


def test_two_identical_builds_send_the_same_requests() -> None:
    run = subprocess.run(
        [sys.executable, COMMAND, "refresh", "--quick", "--json", "--part=requests", "--against", PROJECT],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert lines
    assert {line["ratio"] for line in lines} == {1}
