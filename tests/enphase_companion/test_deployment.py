"""Units, Compose files and Dockerfile: hardening, and valid names of commands and settings."""

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
COMPOSE, FLEET = (
    (PROJECT / "compose.yaml").read_text(),
    (PROJECT / "configuration/fleet/compose.yaml").read_text(),
)

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


@pytest.mark.parametrize("compose", [COMPOSE, FLEET], ids=["single", "fleet"])
def test_compose_names_only_existing_commands_and_settings(compose: str) -> None:
    commands = set(re.findall(r"enphase-[a-z-]*(?:meters|hd|console)", compose))
    assert commands
    assert commands <= list_commands()
    known = {variable(name) for name in SETTINGS} | {CONFIGURATION_VARIABLE}
    written = set(re.findall(r"ENPHASE_[A-Z_]+", compose + (PROJECT / "Dockerfile").read_text()))
    assert written
    assert written <= known


def test_the_fleets_scripts_and_brokers_name_the_same_nodes() -> None:
    configuration = (PROJECT / "configuration/fleet/rabbitmq.conf").read_text()
    nodes = re.findall(r"^cluster_formation\.\S+\.nodes\.\d = rabbit@(\S+)$", configuration, re.MULTILINE)
    assert nodes == re.findall(r"^    hostname: (\S+)$", FLEET, re.MULTILINE)
    [hosts] = re.findall(r"ENPHASE_AMQP_HOST: (\S+)", FLEET)
    assert nodes == SETTINGS["amqp_host"].metadata["rule"](hosts).split(",")


@pytest.mark.parametrize(
    ("compose", "others"), [(COMPOSE, set()), (FLEET, {"erlang_cookie", "replication_password"})]
)
def test_secrets_of_compose_have_the_names_of_settings_and_are_never_committed(
    compose: str, others: set[str]
) -> None:
    secrets = re.findall(r"^  (\w+):\n    file: (\S+)$", compose, re.MULTILINE)
    assert {name for name, _ in secrets} == {"amqp_password", "database_password"} | others
    assert all(SETTINGS[name].metadata["secret"] for name, _ in secrets if name not in others)
    git = shutil.which("git")
    if git is None or not (PROJECT / ".git").exists():
        pytest.skip("no checkout")
    for _, file in secrets:
        folder = PROJECT if compose is COMPOSE else PROJECT / "configuration/fleet"
        # The checkout may be another user's, as in a container of GitHub's runners.
        command = [git, "-c", f"safe.directory={PROJECT}", "check-ignore", file]
        ignored = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert ignored.returncode == 0, (file, ignored.stderr)
