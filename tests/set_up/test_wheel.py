"""The wheel, installed alone and far from the checkout, is complete."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from set_up_steps import run
from set_up_tools import uv
from tests.set_up.conftest import PROJECT

pytestmark = pytest.mark.slow

COMMANDS = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that has the wheel and what it depends on, without extras."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    # Built in the checkout, a wheel would also hold what earlier builds left there.
    for name in ("custom_components", "scripts/enphase_companion"):
        shutil.copytree(PROJECT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(PROJECT / name, sources / name)
    run([uv(), "build", "--quiet", "--wheel", "--out-dir", folder, sources])
    (wheel,) = folder.glob("*.whl")
    run([uv(), "venv", "--quiet", "--python", sys.executable, folder / "environment"])
    binaries = folder / "environment/bin"
    run([uv(), "pip", "install", "--quiet", "--python", binaries / "python", wheel])
    return binaries


def test_every_command_explains_itself(installed: Path, tmp_path: Path) -> None:
    assert COMMANDS
    for command in COMMANDS:
        done = subprocess.run(
            [installed / command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert command in done.stdout


def test_both_packages_are_there_and_typed(installed: Path, tmp_path: Path) -> None:
    code = """
import enphase_api, enphase_api.cloud, enphase_api.local, enphase_companion.simulator
from importlib.resources import files
for package in (enphase_api, enphase_companion):
    assert "site-packages" in package.__file__, package.__file__
    assert files(package).joinpath("py.typed").is_file()
"""
    done = subprocess.run(
        [installed / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_no_part_of_home_assistant_comes_with_it(installed: Path) -> None:
    packages = run([uv(), "pip", "list", "--quiet", "--python", installed / "python"])
    assert "aiohttp" in packages
    assert "homeassistant" not in packages
