"""docs/security.md: every threat has tests, which exist."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from development.steps import PROJECT

DOCUMENT = PROJECT / "docs" / "security.md"

_TEST = re.compile(r"\[`(\w+)`\]\(\.\./(tests/[\w/]+\.py)\)")


def _threats() -> list[list[str]]:
    """Return the cells of each row of the tables of threats."""
    chapter = DOCUMENT.read_text(encoding="utf-8").split("\n## Threats\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in chapter.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows if row[0].strip() != "Threat"]


@cache
def _tests(file: str) -> set[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse((PROJECT / file).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


@pytest.mark.parametrize("row", _threats(), ids=lambda row: row[0])
def test_each_threat_has_a_protection_and_existing_tests(row: list[str]) -> None:
    _, protection, tests = row
    assert protection
    named = _TEST.findall(tests)
    assert named
    assert not _TEST.sub("", tests).strip(), "only tests are in the cell"
    assert [name for name, file in named if name not in _tests(file)] == []


def test_no_threat_is_listed_twice() -> None:
    threats = [row[0] for row in _threats()]
    assert len(set(threats)) == len(threats) > 0


@pytest.mark.parametrize(
    ("page", "link"), [("README.md", "/security.html"), ("SECURITY.md", "(docs/security.md)")]
)
def test_the_page_is_linked(page: str, link: str) -> None:
    assert link in (PROJECT / page).read_text(encoding="utf-8")
