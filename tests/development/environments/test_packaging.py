"""pyproject.toml matches the packages."""

import ast
import json
import re
import sys
from importlib.metadata import packages_distributions
from itertools import chain
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


def test_every_link_and_picture_of_the_readme_works_on_pypi_too(project: Path) -> None:
    """A package index shows the README without the repository's files; headings are its own."""
    text = (project / "README.md").read_text()
    references = dict(re.findall(r"^\[(.+)\]: (\S+)$", text, re.MULTILINE))
    assert {*re.findall(r"\]\[([^\]]+)\]", text)} <= {*references}
    inline = re.findall(r"\]\(([^)]+)\)|(?:src|href)=\"([^\"]+)\"", text)
    targets = [*references.values(), *(markdown or html for markdown, html in inline)]
    assert len(targets) > 20
    headings = {
        f"#{title.lower().replace(' ', '-')}" for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    outside = [target for target in targets if target not in headings]
    assert [target for target in outside if not target.startswith("https://")] == []
    raw = "https://raw.githubusercontent.com/enphase-iq-gateway/enphase-iq-gateway/main/"
    for target in (each for each in outside if each.startswith(raw)):
        assert (project / target.removeprefix(raw)).is_file(), target


def test_the_extra_all_includes_all_other_extras(pyproject: dict[str, Any]) -> None:
    extras = dict(pyproject["project"]["optional-dependencies"])
    (everything,) = extras.pop("all")
    # 50 MB for a format of tables: who needs it says so.
    extras.pop("parquet")
    assert set(everything.partition("[")[2].rstrip("]").split(",")) == set(extras)


def test_every_imported_package_is_declared(project: Path, pyproject: dict[str, Any]) -> None:
    """Whoever imports a package that only another one depends on loses it with that one's next release."""
    groups = (pyproject["project"]["dependencies"], *pyproject["project"]["optional-dependencies"].values())
    declared = {_normalize(match[0]) for each in chain(*groups) if (match := re.match(r"[\w.-]+", each))}
    folders = (
        project / "custom_components/enphase_iq_gateway/enphase_api",
        project / "scripts/enphase_companion",
    )
    own = {*(folder.name for folder in folders), "unicornhathd", "spidev"} | sys.stdlib_module_names
    distributions = packages_distributions()
    for file in (file for folder in folders for file in folder.rglob("*.py")):
        for name in _imported(file) - own:
            assert {_normalize(each) for each in distributions[name]} & declared, f"{name} in {file}"


def _normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _imported(file: Path) -> set[str]:
    """Return the names of the top-level packages that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").partition(".")[0])
    return names
