"""The options of the demo."""

import subprocess
import sys

import pytest

from development.demo.options import parse_arguments
from development.steps import PROJECT


def test_help_shows_examples_without_any_installed_package() -> None:
    shown = subprocess.run(
        [sys.executable, "-S", PROJECT / "scripts" / "demo", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "scripts/demo --gateway https://envoy.local" in shown.stdout


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--gateway", "http://envoy.local"], "does not begin with https://"),
        (["--gateway", "https://envoy.local", "--check"], "--check is about the simulated house"),
        (
            ["--gateway", "https://envoy.local", "--profile", "battery"],
            "--profile is about the simulated house",
        ),
        (["--gateway", "https://envoy.local", "--pipeline"], "--pipeline is about the simulated house"),
        (["--pipeline", "--check", "--speed", "1"], "--speed: a day is to pass"),
        (["--speed", "-1"], "--speed"),
        (["--speed", "nan"], "--speed"),
        (["--port", "http"], "--port"),
        (["--port", "99999"], "'99999' is not a port from 0 to 65535"),
        (["--port", "-1"], "'-1' is not a port"),
        (["--speed", "fast"], "'fast' is no number above 0"),
        (["--gateway", "https://envoy.local", "--everything"], "--everything is about the simulated house"),
    ],
)
def test_invalid_options_are_rejected_by_name(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(words)
    assert ended.value.code == 2
    assert error in capsys.readouterr().err


def test_by_default_home_assistant_listens_on_this_machine_only() -> None:
    given = parse_arguments([])
    assert (given.host, given.port, given.profile, given.speed) == ("127.0.0.1", 8123, "three-phase", 1.0)


@pytest.mark.parametrize(
    ("words", "speed"), [(["--pipeline"], 1), (["--check"], 1), (["--pipeline", "--check"], 1440)]
)
def test_only_a_day_that_is_compared_passes_quickly(words: list[str], speed: float) -> None:
    assert parse_arguments(words).speed == speed
