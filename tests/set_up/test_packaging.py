"""What pyproject.toml says of the packages is so."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any


def test_every_package_that_exists_is_installed(project: Path, pyproject: dict[str, Any]) -> None:
    setuptools = pyproject["tool"]["setuptools"]
    found = {
        ".".join((name, *folder.relative_to(project / root).parts))
        for name, root in setuptools["package-dir"].items()
        for folder in ((project / root), *(project / root).rglob("*/"))
        if list(folder.glob("*.py"))
    }
    assert found == set(setuptools["packages"])


def test_every_package_has_an_init_file(project: Path, pyproject: dict[str, Any]) -> None:
    # Without one a package is a namespace, which an editable install and mypy take for something else.
    roots = [project / root for root in pyproject["tool"]["setuptools"]["package-dir"].values()]
    folders = {file.parent for root in roots for file in root.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_integration_and_the_packages_have_one_version(project: Path, pyproject: dict[str, Any]) -> None:
    manifest = json.loads((project / "custom_components/enphase_iq_gateway/manifest.json").read_text())
    assert manifest["version"] == pyproject["project"]["version"]


def test_the_changelog_tells_of_this_version(project: Path, pyproject: dict[str, Any]) -> None:
    assert pyproject["project"]["version"] in (project / "CHANGELOG.md").read_text()


def test_every_command_leads_to_a_function(pyproject: dict[str, Any]) -> None:
    for command in pyproject["project"]["scripts"].values():
        module, _, function = command.partition(":")
        assert callable(getattr(import_module(module), function))


def test_all_extras_are_in_the_one_that_is_called_all(pyproject: dict[str, Any]) -> None:
    extras = dict(pyproject["project"]["optional-dependencies"])
    (everything,) = extras.pop("all")
    assert set(everything.partition("[")[2].rstrip("]").split(",")) == set(extras)
