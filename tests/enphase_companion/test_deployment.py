"""configuration/systemd, compose.yaml and Dockerfile: hardened, and in the words that the scripts know."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from enphase_companion.config.settings import CONFIGURATION_VARIABLE, SETTINGS, variable

PROJECT = Path(__file__).parents[2]
UNITS = sorted((PROJECT / "configuration" / "systemd").glob("*.service"))
COMPOSE = (PROJECT / "compose.yaml").read_text()

#: What ends by itself, or only with the person who looks at it.
SHORT = {"enphase-gateway-console", "enphase-gateway-generate-docs", "enphase-database"} | {
    "enphase-database-pyplot-meters",
    "enphase-gateway-pyplot-meters",
}


def commands() -> set[str]:
    return set(tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"])


def value(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_each_script_that_runs_for_long_has_a_unit() -> None:
    assert {unit.stem for unit in UNITS} == commands() - SHORT
    for unit in UNITS:
        assert value(unit, "ExecStart") == [f"/opt/enphase/bin/{unit.stem}"]


@pytest.mark.services("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_may_do_no_more_than_it_must(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=15", str(unit)]
    judged = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert judged.returncode == 0, judged.stdout + judged.stderr


@pytest.mark.services("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_understands_every_line_of_a_unit(unit: Path) -> None:
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    judged = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    complaints = [line for line in judged.stderr.splitlines() if unit.name in line]
    assert [line for line in complaints if "is not executable" not in line] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_keeps_a_script_running_that_is_not_set_up_wrongly(unit: Path) -> None:
    assert value(unit, "Type") == ["notify"]
    assert value(unit, "Restart") == ["always"]
    assert value(unit, "RestartPreventExitStatus") == ["2"]
    assert value(unit, "StartLimitIntervalSec") == ["0"]
    assert value(unit, "DynamicUser") == ["yes"]
    assert value(unit, "StateDirectory") == ["enphase"]
    # Longer than a slow gateway, or a database that hangs, may take.
    assert int(value(unit, "WatchdogSec")[0]) > 120


def test_compose_names_only_commands_and_settings_that_there_are() -> None:
    assert set(re.findall(r"enphase-[a-z-]*(?:meters|hd|console)", COMPOSE)) <= commands()
    known = {variable(name) for name in SETTINGS} | {CONFIGURATION_VARIABLE}
    written = set(re.findall(r"ENPHASE_[A-Z_]+", COMPOSE + (PROJECT / "Dockerfile").read_text()))
    assert written
    assert written <= known


def test_secrets_of_compose_are_named_as_the_keys_that_they_give_and_are_never_committed() -> None:
    secrets = re.findall(r"^  (\w+):\n    file: (\S+)$", COMPOSE, re.MULTILINE)
    assert {name for name, _ in secrets} == {"amqp_password", "database_password"}
    assert all(SETTINGS[name].metadata["secret"] for name, _ in secrets)
    git = shutil.which("git")
    if git is None or not (PROJECT / ".git").exists():
        pytest.skip("no checkout")
    for _, file in secrets:
        ignored = subprocess.run([git, "check-ignore", file], cwd=PROJECT, capture_output=True, check=False)
        assert ignored.returncode == 0, file
