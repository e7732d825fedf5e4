"""The wheel is complete: it is installed without the checkout."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from development.steps import PROJECT, run
from development.toolchain import find_uv

pytestmark = pytest.mark.slow

PACKAGES = (
    PROJECT / "custom_components/enphase_iq_gateway/enphase_api",
    PROJECT / "scripts/enphase_companion",
)
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of an environment with the wheel and its dependencies, without extras."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    # A wheel built in the checkout would contain files of earlier builds.
    for name in ("custom_components", "scripts/enphase_companion"):
        shutil.copytree(PROJECT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, sources / name)
    run([find_uv(), "build", "--quiet", "--wheel", "--out-dir", folder, sources])
    (wheel,) = folder.glob("*.whl")
    run([find_uv(), "venv", "--quiet", "--python", sys.executable, folder / "environment"])
    binaries = folder / "environment/bin"
    run([find_uv(), "pip", "install", "--quiet", "--python", binaries / "python", wheel])
    return binaries


def test_every_command_has_a_help_text(installed: Path, tmp_path: Path) -> None:
    for command in PYPROJECT["project"]["scripts"]:
        done = subprocess.run(
            [installed / command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert command in done.stdout


def test_the_wheel_contains_every_file_of_the_packages(installed: Path) -> None:
    (site_packages,) = installed.parent.glob("lib/python*/site-packages")
    for folder in PACKAGES:
        assert files_below(site_packages / folder.name) == files_below(folder)


def files_below(folder: Path) -> set[str]:
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)) for path in files}


def test_both_packages_can_be_imported(installed: Path, tmp_path: Path) -> None:
    code = """
import enphase_api, enphase_api.cloud, enphase_api.local, enphase_companion.simulator
for package in (enphase_api, enphase_companion):
    assert "site-packages" in package.__file__, package.__file__
"""
    done = subprocess.run(
        [installed / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_wheel_does_not_require_home_assistant(installed: Path) -> None:
    packages = run([find_uv(), "pip", "list", "--quiet", "--python", installed / "python"])
    assert "aiohttp" in packages
    assert "homeassistant" not in packages
