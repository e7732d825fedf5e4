"""Figures as a person and as a script see them."""

import json

from rich.console import Console

from development.benchmarks.results import Result, machine, middle, table

RESULT = Result("refresh", "requests_per_refresh", "requests", 1.0, 5.0)


def test_a_line_of_json_has_the_figure_and_its_ratio() -> None:
    assert json.loads(RESULT.as_json()) == {
        "benchmark": "refresh",
        "figure": "requests_per_refresh",
        "unit": "requests",
        "ours": 1.0,
        "reference": 5.0,
        "ratio": 0.2,
    }


def test_beside_nothing_there_is_no_ratio() -> None:
    nothing = Result("refresh", "memory", "KiB more a day", 4.0, 0.0)
    assert json.loads(nothing.as_json())["ratio"] is None


def test_the_table_shows_every_figure_whole_however_narrow_the_terminal() -> None:
    figure = "requests_per_refresh_with_battery_averaged"
    console = Console(width=60)
    with console.capture() as shown:
        console.print(table([Result("refresh", figure, "requests", 1.181, 10.0), RESULT]))
    assert figure in shown.get()


def test_a_figure_is_the_median_without_digits_that_are_noise() -> None:
    assert middle([3.0, 100.0, 1.23456]) == 3.0
    assert middle([1.23456]) == 1.235


def test_the_machines_size_and_the_versions_are_told() -> None:
    words = machine("rich")
    assert "cores" in words
    assert "GiB of memory" in words
    assert "rich 1" in words
