"""The options of the benchmarks."""

import subprocess
import sys

import pytest

from development.benchmarks.options import BENCHMARKS, parse_arguments
from development.steps import PROJECT

from .helpers import COMMAND


def test_help_shows_examples_without_any_installed_package() -> None:
    shown = subprocess.run(
        [sys.executable, "-S", COMMAND, "--help"], capture_output=True, text=True, check=True
    )
    assert "scripts/benchmark refresh --json" in shown.stdout
    assert all(name in shown.stdout for name in BENCHMARKS)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["nothing"], "'nothing'"),
        (["refresh", "--part", "gas"], "refresh has no part gas; it has requests"),
        ([], "NAME"),
        (["hostile"], "hostile compares with an earlier build: give --against CHECKOUT"),
        (["one-poll"], "one-poll compares with an earlier build: give --against CHECKOUT"),
        (["pipeline", "--part", "against"], "pipeline compares with an earlier build: give --against"),
        (["refresh", "--messages", "5"], "refresh has no messages: leave out --messages"),
        (["refresh", "--days", "5"], "refresh reads no database: leave out --days and --mariadb"),
        (["refresh", "--against", "/nowhere"], "/nowhere is no checkout of this project"),
    ],
)
def test_unknown_options_are_rejected_by_name(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(words)
    assert ended.value.code == 2
    assert error in capsys.readouterr().err


def test_without_arguments_all_benchmarks_run_in_order() -> None:
    parts = BENCHMARKS["refresh"].parts
    assert parse_arguments(["refresh"]).parts == list(parts)
    assert parse_arguments(["refresh", "--part", "memory", "--part", "cpu"]).parts == ["cpu", "memory"]


def test_a_build_is_resolved_relative_to_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT / "docs")
    assert parse_arguments(["hostile", "--against", ".."]).against == PROJECT
