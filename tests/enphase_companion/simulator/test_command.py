"""The simulator command: its output, options, and clean end."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from enphase_companion.simulator.__main__ import main
from enphase_companion.simulator.faults import FAULTS
from enphase_companion.simulator.profiles import PROFILES, QUIRKS

ADDRESS = re.compile(r"https://127\.0\.0\.1:\d+")
COMMAND = [sys.executable, "-m", "enphase_companion.simulator"]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted(ending: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, "--profile", "battery", "--port", "0", "--entrez-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = ""
        while "enphase-gateway-console --entrez-host" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line
        found = ADDRESS.search(printed)
        assert found is not None
        context = ssl._create_unverified_context()  # noqa: S323 - it is the simulator
        with urllib.request.urlopen(found[0] + "/info", context=context) as response:  # noqa: S310 - https
            assert "<sn>122300000001</sn>" in response.read().decode()
        process.send_signal(ending)
        output, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "stopped" in output
    assert errors == ""
    for part in ("122300000001", "SHA-256", "owner@example.com", "--entrez-host http://127.0.0.1:"):
        assert part in printed


def test_the_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "examples:" in shown
    assert "--hour-of-day" in shown


def test_help_imports_no_web_server() -> None:
    code = "import sys, enphase_companion.simulator.__main__; sys.exit('aiohttp' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_list_prints_every_profile_quirk_and_fault_with_its_description(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--list"]) == 0
    listed = [line.split(None, 1) for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert [name for name, _ in listed] == [*PROFILES, *QUIRKS, *FAULTS]


def test_options_set_profile_quirks_and_faults_by_name() -> None:
    with subprocess.Popen(
        [*COMMAND, "--profile", "battery+meters-401", "--fault", "html@/info", "--port=0", "--entrez-port=0"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = next(found[0] for found in map(ADDRESS.search, process.stdout) if found)
        context = ssl._create_unverified_context()  # noqa: S323 - it is the simulator
        with urllib.request.urlopen(url + "/info", context=context) as response:  # noqa: S310 - https
            assert "Please wait" in response.read().decode()
        process.terminate()


@pytest.mark.parametrize(
    "options",
    [
        ["--profile", "castle"],
        ["--profile", "battery+castle"],
        ["--fault", "castle@/info"],
        ["--speed", "0"],
        ["--port", "70000"],
        ["--hour-of-day", "25"],
        ["--speed", "x"],
    ],
)
def test_an_invalid_option_is_a_usage_error(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert options[0] in capsys.readouterr().err


def test_the_command_names_a_folder_without_a_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--replay", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_the_error_for_a_port_in_use_names_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--port", str(taken.getsockname()[1]), "--entrez-port", "0"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: cannot listen (")
    assert error.endswith(": set another --port or --entrez-port\n")
