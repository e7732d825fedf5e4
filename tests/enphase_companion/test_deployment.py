"""configuration/systemd, compose.yaml and Dockerfile: hardening, and valid names of commands and settings."""

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

#: Commands that end by themselves or are interactive.
WITHOUT_UNIT = {"enphase-gateway-console", "enphase-gateway-generate-docs", "enphase-database"} | {
    "enphase-database-pyplot-meters",
    "enphase-gateway-pyplot-meters",
}


def list_commands() -> set[str]:
    return set(tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"])


def get_values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_every_long_running_script_has_a_unit() -> None:
    assert {unit.stem for unit in UNITS} == list_commands() - WITHOUT_UNIT
    for unit in UNITS:
        assert get_values(unit, "ExecStart") == [f"/opt/enphase/bin/{unit.stem}"]


@pytest.mark.services("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_are_hardened(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=15", str(unit)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.services("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_accepts_every_line_of_a_unit(unit: Path) -> None:
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    complaints = [line for line in result.stderr.splitlines() if unit.name in line]
    assert [line for line in complaints if "is not executable" not in line] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_restarts_a_script_except_after_configuration_errors(unit: Path) -> None:
    assert get_values(unit, "Type") == ["notify"]
    assert get_values(unit, "Restart") == ["always"]
    assert get_values(unit, "RestartPreventExitStatus") == ["2"]
    assert get_values(unit, "StartLimitIntervalSec") == ["0"]
    assert get_values(unit, "DynamicUser") == ["yes"]
    assert get_values(unit, "StateDirectory") == ["enphase"]
    # Longer than a slow gateway or a hanging database may take.
    assert int(get_values(unit, "WatchdogSec")[0]) > 120


def test_compose_names_only_existing_commands_and_settings() -> None:
    assert set(re.findall(r"enphase-[a-z-]*(?:meters|hd|console)", COMPOSE)) <= list_commands()
    known = {variable(name) for name in SETTINGS} | {CONFIGURATION_VARIABLE}
    written = set(re.findall(r"ENPHASE_[A-Z_]+", COMPOSE + (PROJECT / "Dockerfile").read_text()))
    assert written
    assert written <= known


def test_secrets_of_compose_have_the_names_of_settings_and_are_never_committed() -> None:
    secrets = re.findall(r"^  (\w+):\n    file: (\S+)$", COMPOSE, re.MULTILINE)
    assert {name for name, _ in secrets} == {"amqp_password", "database_password"}
    assert all(SETTINGS[name].metadata["secret"] for name, _ in secrets)
    git = shutil.which("git")
    if git is None or not (PROJECT / ".git").exists():
        pytest.skip("no checkout")
    for _, file in secrets:
        ignored = subprocess.run([git, "check-ignore", file], cwd=PROJECT, capture_output=True, check=False)
        assert ignored.returncode == 0, file
