"""Commands as processes: fast help, exit statuses, interrupts, closed pipes and unexpected errors."""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from enphase_api import EnphaseError
from enphase_companion.commands import gateway_console
from enphase_companion.runtime import errors, main
from enphase_companion.runtime.errors import CommandError, SettingsError

from ..cli_user import CliUser

COMMAND = "enphase-gateway-console"


@pytest.fixture
def ready(user: CliUser) -> CliUser:
    """Return a user with a trusted certificate and a token."""
    user.trust_gateway()
    user.write_settings(gateway_token=user.simulator.token())
    return user


def test_help_shows_examples_settings_and_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        gateway_console.main(["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert "enphase-gateway-console --trust" in shown
    assert "ENPHASE_GATEWAY_HOST" in shown
    assert "ENPHASE_PASSWORD" in shown
    assert "exit status: 0 success, 1 failure, 2 usage or configuration error, 130" in shown


def test_the_script_in_the_checkout_runs_the_command() -> None:
    script = Path(__file__).parents[3] / "scripts" / "gateway_console.py"
    shown = subprocess.run(
        [script, "--version"], capture_output=True, text=True, check=False, env=build_environment()
    )
    assert re.fullmatch(r"gateway_console\.py \d+\.\d+\.\d+\n", shown.stdout), shown.stderr


def test_the_error_of_missing_packages_names_the_installation_command() -> None:
    script = Path(__file__).parents[3] / "scripts" / "gateway_console.py"
    ended = subprocess.run([sys.executable, "-S", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert re.fullmatch(r"error: the Python package \w+ is missing: install [^\n]+\n", ended.stderr)


@pytest.mark.parametrize(
    ("is_managed", "prefix", "expected"),
    [
        (True, sys.base_prefix, "python3 -m venv ~/enphase && ~/enphase/bin/pip install '.[plot]'"),
        (False, sys.base_prefix, f"{sys.executable} -m pip install '.[plot]'"),
        (True, "/an/environment", f"{sys.executable} -m pip install '.[plot]'"),
    ],
)
def test_missing_packages_are_installed_with_the_running_python_or_in_an_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_managed: bool, prefix: str, expected: str
) -> None:
    if is_managed:
        (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(sys, "prefix", prefix)
    assert errors.how_to_install("plot") == expected


@pytest.mark.parametrize("content", ["", "class EnphaseError(Exception):\n    pass\n"])
def test_the_error_of_a_conflict_with_enphase_api_names_the_remedy(tmp_path: Path, content: str) -> None:
    """PyPI's Enphase-API has an import package of the same name."""
    (tmp_path / "Enphase_API-1.0.dist-info").mkdir()
    (tmp_path / "Enphase_API-1.0.dist-info" / "METADATA").write_text("Name: Enphase-API\nVersion: 1.0\n")
    (tmp_path / "enphase_api").mkdir()
    (tmp_path / "enphase_api" / "__init__.py").write_text(content)
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from enphase_companion.commands.gateway_console import main; main([])",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert ended.stderr.startswith("error: Enphase-API is in the same Python environment")
    assert ended.stderr.endswith(
        f"{sys.executable} -m pip uninstall Enphase-API && "
        f"{sys.executable} -m pip install --force-reinstall --no-deps .\n"
    )
    assert ended.stderr.count("\n") == 1


def build_environment() -> dict[str, str]:
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--colour"], "unrecognized arguments"),
        (["--watch", "0.5"], "must be from 1 to 3600 seconds"),
        (["--watch", "nan"], "must be from 1 to 3600 seconds"),
        (["--watch", "soon"], "must be from 1 to 3600 seconds"),
        (["--trust", "--json"], "--trust cannot be combined with"),
        (["--trust", "--watch"], "--trust cannot be combined with"),
        (["--fingerprint", "ab" * 32], "--fingerprint requires --trust"),
        (["--trust", "--fingerprint", "abcd"], "64 hexadecimal digits"),
        (["--conf", "x"], "unrecognized arguments"),
    ],
)
def test_a_usage_error_exits_with_status_2(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        gateway_console.main(arguments)
    assert end.value.code == 2
    written = capsys.readouterr()
    assert expected in written.err
    assert re.fullmatch(r"error: [^\n]+\. Options and examples: [^\n]+ --help\n", written.err)
    assert not written.out


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (CommandError("a: wrong: do b"), 1, "error: a: wrong: do b"),
        (SettingsError("key: wrong"), 2, "error: key: wrong"),
        (EnphaseError("the gateway is offline"), 1, "error: the gateway is offline"),
        (
            FileNotFoundError(2, "No such file or directory", "x.db"),
            1,
            "error: x.db: No such file or directory",
        ),
        (TimeoutError(), 1, "error: TimeoutError"),
        (ModuleNotFoundError("x", name="aio_pika"), 1, "error: the Python package aio_pika is missing: "),
        (ZeroDivisionError("owner@example.com"), 1, "error: unexpected error (ZeroDivisionError): "),
        (CommandError("for owner@example.com"), 1, "error: for [hidden]"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 141, ""),
    ],
)
@pytest.mark.usefixtures("home_folder")
def test_every_error_is_one_line_and_an_exit_status(
    error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(_: argparse.Namespace) -> int:
        raise error

    assert main.run(argparse.Namespace(verbose=False), work) == status
    written = capsys.readouterr()
    assert written.err.startswith(line)
    assert written.err.count("\n") == (1 if line else 0)
    assert "Traceback" not in written.err
    assert not written.out


@pytest.mark.usefixtures("home_folder")
def test_verbose_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: argparse.Namespace) -> int:
        raise ZeroDivisionError("for owner@example.com")

    assert main.run(argparse.Namespace(verbose=True), work) == 1
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert "ZeroDivisionError: for [hidden]" in written


_INTERRUPTED = """
import asyncio, sys
from importlib import import_module

def interrupted():
    raise KeyboardInterrupt

asyncio.events.new_event_loop = interrupted
sys.exit(import_module(sys.argv[1]).main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["gateway_console"],
        ["gateway_console", "--watch"],
        ["database", "status"],
        ["database_pyplot_meters", "--output", "chart.png"],
        ["gateway_amqp_meters"],
        ["gateway_database_meters"],
        ["amqp_database_meters"],
        ["gateway_unicorn_hat_hd"],
        ["amqp_unicorn_hat_hd"],
    ],
)
@pytest.mark.slow
def test_ctrl_c_before_the_start_prints_nothing(ready: CliUser, arguments: list[str]) -> None:
    """Python warns of a coroutine that is never awaited."""
    ready.write_token_settings(gateway_token=ready.simulator.token())
    name, *others = arguments
    ended = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, f"enphase_companion.commands.{name}", *others],
        capture_output=True,
        text=True,
        check=False,
        cwd=ready.home,
        env={"PATH": os.environ["PATH"], "HOME": str(ready.home), **ready.environment},
    )
    assert (ended.returncode, ended.stderr) == (130, "")


def test_a_successful_run_exits_with_0_and_prints_nothing_else(ready: CliUser) -> None:
    with ready.start(COMMAND) as process:
        out, err = process.communicate()
    assert process.returncode == 0
    assert out.startswith(f"IQ Gateway {ready.simulator.serial_number}")
    assert not err


def test_an_unreachable_gateway_is_one_line_and_status_1(ready: CliUser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        ready.environment["ENPHASE_GATEWAY_HOST"] = f"https://127.0.0.1:{closed.getsockname()[1]}"
    with ready.start(COMMAND) as process:
        out, err = process.communicate()
    assert process.returncode == 1
    assert not out
    assert re.fullmatch(r"error: [^\n]*127\.0\.0\.1[^\n]*\n", err)


def test_ctrl_c_exits_cleanly_with_130(ready: CliUser) -> None:
    ready.simulator.faults.set("silent", "/ivp/meters")
    with ready.start(COMMAND) as process:
        wait_for_request(ready, "/ivp/meters")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert not out
    assert not err


def test_sigterm_exits_cleanly_with_143(ready: CliUser) -> None:
    ready.simulator.faults.set("silent", "/ivp/meters")
    with ready.start(COMMAND) as process:
        wait_for_request(ready, "/ivp/meters")
        process.terminate()
        _, err = process.communicate(timeout=10)
    assert process.returncode == 143
    assert not err


@pytest.mark.parametrize("arguments", [[], ["--watch", "1"], ["--json"]])
@pytest.mark.slow
def test_a_closed_pipe_is_no_error(ready: CliUser, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with ready.start(COMMAND, *arguments, stdout=writing) as process:
        os.close(writing)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 141
    assert not err


@pytest.mark.slow
def test_a_full_disk_is_an_error_in_one_line(ready: CliUser) -> None:
    with Path("/dev/full").open("w") as full, ready.start(COMMAND, stdout=full) as process:
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err == "error: No space left on device\n"


@pytest.mark.slow
def test_an_encoding_without_the_degree_sign_is_no_error(create_user: Callable[..., CliUser]) -> None:
    user = create_user("battery")
    user.trust_gateway()
    user.write_settings(gateway_token=user.simulator.token())
    user.environment["PYTHONIOENCODING"] = "ascii"
    with user.start(COMMAND) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert " ?C" in out


def wait_for_request(user: CliUser, path: str) -> None:
    """Wait until the gateway receives a request for a path."""
    deadline = time.monotonic() + 30
    while all(request.path != path for request in user.simulator.requests):
        assert time.monotonic() < deadline
        time.sleep(0.05)
