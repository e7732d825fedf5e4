"""The demo with a real Home Assistant: its output, its check, and that no process remains."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from development.demo import __main__ as development_demo
from development.demo import flow
from development.demo.entities import find_device
from development.demo.owner import Owner
from enphase_companion.simulator import Simulator
from tests.development.demo.running import COMMAND, RunningDemo, demo, processes_with, run, until

pytestmark = [pytest.mark.demo, pytest.mark.slow]

PROFILES = [
    "no-meters",
    "production-only",
    "single-phase",
    "split-phase",
    "three-phase",
    "battery",
    "battery-without-meter",
]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_entity_matches_the_house(profile: str, tmp_path: Path) -> None:
    done = run("--check", "--profile", profile, "--port", "0", "--folder", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stdout
    assert "agree with the house within 1 %" in done.stdout
    assert processes_with(str(tmp_path / "demo" / "home-assistant")) == []


def test_the_check_passes_while_the_clock_of_the_house_runs_fast(tmp_path: Path) -> None:
    done = run("--check", "--speed", "300", "--port", "0", "--folder", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stdout


async def test_no_value_is_frozen_or_in_the_future_while_the_clock_of_the_house_runs_fast(
    tmp_path: Path,
) -> None:
    words = ("--speed", "120", "--everything", "--profile", "battery")
    with demo(tmp_path / "demo", *words) as running:
        async with Owner(running.url) as owner:
            await owner.sign_in()
            reports: list[dict[str, datetime]] = []
            for _ in range(2):
                states = await owner.states()
                reports.append(
                    {
                        name: datetime.fromisoformat(state["state"])
                        for name, state in states.items()
                        if name.endswith(("_last_report", "_last_reading"))
                    }
                )
                assert all(at < datetime.now(UTC) for at in reports[-1].values())
                await asyncio.sleep(25)
    # The gateway, the microinverters, the batteries and the System Controller.
    assert len(reports[0]) == 1 + 12 + 3 + 1
    assert all(reports[1][name] > at for name, at in reports[0].items())


def test_the_check_reports_a_sensor_that_is_off_by_two_percent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    truthful = Owner.states
    scaled = "sensor.iq_gateway_122300000001_production_power"

    async def states(owner: Owner) -> dict[str, dict[str, Any]]:
        shown = await truthful(owner)
        if scaled in shown and shown[scaled]["state"] not in ("unknown", "unavailable"):
            shown[scaled]["state"] = str(float(shown[scaled]["state"]) * 1.02)
        return shown

    monkeypatch.setattr(Owner, "states", states)
    monkeypatch.setattr("sys.argv", ["demo", "--check", "--port", "0", "--folder", str(tmp_path / "demo")])
    assert development_demo.main() == 1
    verdict = capsys.readouterr().out.partition("do not agree with the house:")[2].strip().splitlines()
    assert verdict == ["IQ Gateway 122300000001 Production power: off by 2.0%"]


def test_the_demo_serves_the_printed_addresses_until_ctrl_c(tmp_path: Path) -> None:
    with demo(tmp_path / "demo") as running:
        port = int(running.url.rpartition(":")[2])
        assert "sign in as demo with password demo" in running.output
        running.end(signal.SIGINT)
        assert running.process.returncode == 0
        until(lambda: running.home_assistant == [])
        socket.create_server(("127.0.0.1", port)).close()  # the port is closed


def test_an_interrupt_at_any_time_ends_the_demo_without_a_traceback(tmp_path: Path) -> None:
    command = [*COMMAND, "--port", "0", "--folder", str(tmp_path / "demo")]
    for seconds in (0.3, 0.6, 1.0, 1.5, 2.5):
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        ) as process:
            time.sleep(seconds)
            os.killpg(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Traceback" not in output
    assert processes_with(str(tmp_path / "demo" / "home-assistant")) == []


async def test_the_demo_shows_the_entities_that_a_new_installation_enables(serving: RunningDemo) -> None:
    async with Owner(serving.url) as owner:
        await owner.sign_in()
        entities = await owner.ask("config/entity_registry/list")
    ours = [each for each in entities if each["platform"] == flow.DOMAIN]
    assert any(each["disabled_by"] == "integration" for each in ours)
    rows = serving.output.count(" | ") // 2 - 2  # without the heading and the line below it
    assert rows == sum(each["disabled_by"] is None for each in ours)


async def test_the_demo_sets_up_the_gateway_and_the_energy_dashboard(serving: RunningDemo) -> None:
    async with Owner(serving.url) as owner:
        await owner.sign_in()
        device = await find_device(owner, flow.DOMAIN, "122300000001")
        assert f"{serving.url}/config/devices/device/{device['id']}" in serving.output
        sources = {each["type"]: each for each in (await owner.ask("energy/get_prefs"))["energy_sources"]}
        assert set(sources) == {"solar", "grid", "home"}
        assert not any((await owner.ask("energy/validate"))["energy_sources"])
        days = await owner.ask(
            "recorder/statistics_during_period",
            start_time="2026-01-01T00:00:00+00:00",
            statistic_ids=[sources["solar"]["stat_energy_from"], sources["home"]["stat_energy_to"]],
            period="day",
            types=["change", "sum"],
        )
        for statistics in days.values():
            assert len(statistics) >= 10
            assert all(0 < day["change"] < 100 for day in statistics[1:-1])


def test_a_second_interrupt_kills_a_home_assistant_that_hangs(tmp_path: Path) -> None:
    with demo(tmp_path / "demo") as running:
        for number in running.home_assistant:
            os.kill(number, signal.SIGSTOP)
        running.end(signal.SIGTERM, signal.SIGTERM)
        assert running.process.returncode == 0
        assert running.home_assistant == []


def test_the_demo_reports_a_home_assistant_that_exits_unexpectedly(tmp_path: Path) -> None:
    with demo(tmp_path / "demo") as running:
        for number in running.home_assistant:
            os.kill(number, signal.SIGTERM)
        assert running.end() == 1
        assert "Home Assistant exited with status 0" in running.output


def test_a_killed_demo_leaves_no_home_assistant_running(tmp_path: Path) -> None:
    with demo(tmp_path / "demo") as running:
        assert running.home_assistant
        running.process.kill()
        until(lambda: running.home_assistant == [])


def test_a_port_in_use_is_reported_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = run("--port", port, "--folder", str(tmp_path / "demo"))
    assert done.returncode == 1
    assert f"port {port}" in done.stdout
    assert "--port" in done.stdout
    assert "starting" not in done.stdout


def test_the_error_for_an_unknown_profile_lists_the_known_profiles(tmp_path: Path) -> None:
    done = run("--profile", "castle", "--port", "0", "--folder", str(tmp_path / "demo"))
    assert done.returncode == 1
    assert "castle" in done.stdout
    assert "three-phase" in done.stdout


async def test_a_gateway_added_by_the_user_is_removed_when_the_demo_ends(tmp_path: Path) -> None:
    with Simulator("single-phase") as sim, demo(tmp_path / "demo", "--gateway", sim.url) as running:
        assert sim.url.removeprefix("https://") in running.output
        async with Owner(running.url) as owner:
            await owner.sign_in()
            account = flow.steps(sim.url, sim.serial_number, sim.fingerprint, "", "")
            by_token = {**account, "sign_in": {"next_step_id": "token"}, "token": {"token": sim.token()}}
            await flow.walk(owner, by_token)
            assert (await find_device(owner, flow.DOMAIN))["serial_number"] == sim.serial_number
        assert running.end(signal.SIGTERM) == 0
        assert not (running.folder / "home-assistant").exists()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """Yield a running demo."""
    with demo(tmp_path_factory.mktemp("served") / "demo") as running:
        yield running
