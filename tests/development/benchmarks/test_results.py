"""The output of results, as a table and as JSON."""

import json

from rich.console import Console

from development.benchmarks.results import Result, build_table, machine, middle

RESULT = Result("refresh", "requests_per_refresh", "requests", 1.0, 5.0)


def test_a_json_line_has_both_values_and_their_ratio() -> None:
    assert json.loads(RESULT.as_json()) == {
        "benchmark": "refresh",
        "figure": "requests_per_refresh",
        "unit": "requests",
        "ours": 1.0,
        "reference": 5.0,
        "ratio": 0.2,
    }


def test_without_a_baseline_there_is_no_ratio() -> None:
    nothing = Result("refresh", "memory", "KiB more a day", 4.0, 0.0)
    assert json.loads(nothing.as_json())["ratio"] is None


def test_the_table_is_complete_on_a_narrow_terminal() -> None:
    figure = "requests_per_refresh_with_battery_averaged"
    console = Console(width=60)
    with console.capture() as shown:
        console.print(build_table([Result("refresh", figure, "requests", 1.181, 10.0), RESULT]))
    assert figure in shown.get()


def test_a_value_is_the_rounded_median() -> None:
    assert middle([3.0, 100.0, 1.23456]) == 3.0
    assert middle([1.23456]) == 1.235


def test_the_machine_and_the_versions_are_printed() -> None:
    words = machine("rich")
    assert "cores" in words
    assert "GiB of memory" in words
    assert "rich 1" in words
