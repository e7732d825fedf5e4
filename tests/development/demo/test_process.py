"""The process and folder of Home Assistant: no process remains, and foreign files are not touched."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from development import servers
from development.demo.errors import DemoError
from development.demo.folder import create_configuration
from development.demo.process import find_free_port, find_problems
from development.steps import PROJECT, SetUpError

TIME = "2026-11-24 12:00:01.000+00:00"
LOADER = (
    f"{TIME} WARNING (SyncWorker_0) [homeassistant.loader] We found a custom integration enphase_iq_gateway "
    "which has not been tested by Home Assistant. This component might cause stability problems"
)
OTHERS = f"{TIME} ERROR (MainThread) [haffmpeg.core] FFmpeg fails\nTraceback (most"


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_loader_warning_and_errors_of_other_integrations_are_ignored() -> None:
    assert find_problems(f"{LOADER}\n{OTHERS}\n") == []


@pytest.mark.parametrize(
    "record",
    [
        f"{TIME} WARNING (MainThread) [custom_components.enphase_iq_gateway.sensor] Odd",
        f"{TIME} ERROR (MainThread) [homeassistant] E\n  File /custom_components/enphase_iq_gateway/x.py",
        f"{TIME} WARNING (Recorder) [homeassistant] Entity sensor.x from enphase_iq_gateway is odd",
    ],
)
def test_warnings_about_the_integration_are_found_in_any_logger(record: str) -> None:
    assert find_problems(f"{LOADER}\n{record}\n{OTHERS}\n") == [record]


def test_a_guarded_command_ends_when_its_parent_is_killed() -> None:
    starter = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, *sys.argv[1:]])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starter, PROJECT / "scripts/development/demo/guard.py", "/bin/sleep", "60"],
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        until(lambda: Path(f"/proc/{child}/cmdline").read_bytes().startswith(b"/bin/sleep"))
        parent.send_signal(signal.SIGKILL)
        until(lambda: not alive(child))


def test_only_one_demo_can_use_a_folder(tmp_path: Path) -> None:
    with (
        create_configuration(tmp_path / "demo"),
        pytest.raises(DemoError, match=r"another demo is running in .*demo.*--folder"),
        create_configuration(tmp_path / "demo"),
    ):
        pass


def test_a_folder_of_another_program_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "home-assistant").mkdir()
    (tmp_path / "home-assistant" / "secrets.yaml").write_text("precious")
    with pytest.raises(DemoError, match="contains other files"), create_configuration(tmp_path):
        pass
    assert (tmp_path / "home-assistant" / "secrets.yaml").read_text() == "precious"


@pytest.mark.parametrize("folder", ["/proc/demo", "/dev/null", "/dev/null/demo"])
def test_the_error_names_a_folder_that_cannot_be_created_and_a_solution(folder: str) -> None:
    with (
        pytest.raises(DemoError, match=rf"{folder} cannot be used \(.+\): set --folder"),
        create_configuration(Path(folder)),
    ):
        pass


def test_a_second_start_has_an_empty_configuration(tmp_path: Path) -> None:
    for _ in range(2):
        with create_configuration(tmp_path / "demo") as configuration:
            assert list(configuration.iterdir()) == []
            (configuration / "home-assistant_v2.db").touch()


def test_the_error_names_a_port_in_use_and_a_solution() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(DemoError, match=rf"127\.0\.0\.1 port {port} .*another --port"):
            find_free_port("127.0.0.1", port)
    assert find_free_port("127.0.0.1", port) == port


def test_the_error_names_an_address_of_another_machine_and_a_solution() -> None:
    with pytest.raises(DemoError, match=r"192\.0\.2\.1 port 8123 .*or --host"):
        find_free_port("192.0.2.1", 8123)


def test_a_missing_rabbitmq_is_reported_with_a_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(servers, "is_debian", lambda: False)
    with pytest.raises(SetUpError, match="RabbitMQ is missing: install rabbitmq-server"):
        servers.find_rabbitmq()
