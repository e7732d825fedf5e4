"""pyproject.toml matches the packages."""

import json
from pathlib import Path
from typing import Any


def test_the_integration_and_the_packages_have_the_same_version(
    project: Path, pyproject: dict[str, Any]
) -> None:
    manifest = json.loads((project / "custom_components/enphase_iq_gateway/manifest.json").read_text())
    assert manifest["version"] == pyproject["project"]["version"]


def test_the_changelog_has_this_version(project: Path, pyproject: dict[str, Any]) -> None:
    assert pyproject["project"]["version"] in (project / "CHANGELOG.md").read_text()


def test_every_module_of_commands_is_an_installed_command(project: Path, pyproject: dict[str, Any]) -> None:
    modules = [file.stem for file in (project / "scripts/enphase_companion/commands").glob("[!_]*.py")]
    assert {
        f"enphase-{module.replace('_', '-')}": f"enphase_companion.commands.{module}:main"
        for module in modules
    } == pyproject["project"]["scripts"]


def test_the_extra_all_includes_all_other_extras(pyproject: dict[str, Any]) -> None:
    extras = dict(pyproject["project"]["optional-dependencies"])
    (everything,) = extras.pop("all")
    assert set(everything.partition("[")[2].rstrip("]").split(",")) == set(extras)
