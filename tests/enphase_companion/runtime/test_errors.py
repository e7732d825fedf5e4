"""Error texts are fragments, joined by one helper."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from enphase_companion.runtime.errors import join_clauses

SOURCES = Path(__file__).parents[3] / "scripts" / "enphase_companion"


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (
            ("create them: enphase-database upgrade", "readings wait"),
            "create them: enphase-database upgrade; readings wait",
        ),
        (("the disk is full.", "readings wait."), "the disk is full; readings wait"),
        (("no answer", None, "", "retrying"), "no answer; retrying"),
    ],
)
def test_clauses_are_joined_by_semicolons(parts: tuple[str | None, ...], joined: str) -> None:
    assert join_clauses(*parts) == joined


def test_error_texts_are_joined_by_the_helper_only() -> None:
    """Code cannot know whether a text ends with a full stop, so only the helper may add to it."""
    foreign = {"error", "problem", "trouble", "reason"}
    found = []
    for file in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                for value, behind in zip(node.values, node.values[1:], strict=False):
                    if (
                        isinstance(value, ast.FormattedValue)
                        and isinstance(value.value, ast.Name)
                        and value.value.id in foreign
                        and isinstance(behind, ast.Constant)
                        and re.match(r"[.]? [A-Z]", str(behind.value))
                    ):
                        found.append(f"{file.relative_to(SOURCES)}:{node.lineno}")
    assert found == []
