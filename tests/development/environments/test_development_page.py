"""docs/development.md names files and code that exist."""

import re
from fnmatch import filter as match_names
from pathlib import Path

from development.steps import PROJECT

_PAGE = PROJECT / "docs" / "development.md"
_FOLDERS = ("custom_components", "scripts", "tests", "docs", "configuration")
_SUFFIXES = {".py", ".json", ".toml", ".md", ".sql", ".example"}


def _get_names() -> set[str]:
    """Return what the lists of the page name in code style, without the table of mutants."""
    lists = _PAGE.read_text().split("## To add")[1].split("## Surviving")[0]
    return set(re.findall(r"`([^`\n]+)`", lists))


def test_every_file_of_the_lists_exists() -> None:
    found = [file for folder in _FOLDERS for file in (PROJECT / folder).rglob("*") if file.is_file()]
    paths = [f"/{file.relative_to(PROJECT)}" for file in (*found, *PROJECT.glob("*.*"))]
    named = {name for name in _get_names() if Path(name).suffix in _SUFFIXES}
    assert len(named) > 40
    assert not [name for name in named if not match_names(paths, f"*/{name}")]


def test_every_identifier_of_the_lists_occurs_in_the_code() -> None:
    folders = ("custom_components", "scripts", "tests")
    code = "".join(file.read_text() for folder in folders for file in (PROJECT / folder).rglob("*.py"))
    named = {name for name in _get_names() if re.fullmatch(r"[A-Za-z_]+", name)}
    assert len(named) > 20
    assert not [name for name in named if not re.search(rf"\b{name}\b", code)]
