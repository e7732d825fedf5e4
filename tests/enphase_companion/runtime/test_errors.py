"""Texts are put together so that none runs on into the next."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from enphase_companion.runtime.errors import join

SOURCES = Path(__file__).parents[3] / "scripts" / "enphase_companion"


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        (
            ("make them: enphase-database upgrade", "The readings wait"),
            "make them: enphase-database upgrade. The readings wait.",
        ),
        (("the disk is full.", "The readings wait."), "the disk is full. The readings wait."),
        (("is that so?", None, "", "Look"), "is that so? Look."),
    ],
)
def test_each_part_is_a_sentence(parts: tuple[str | None, ...], whole: str) -> None:
    assert join(*parts) == whole


def test_no_text_is_put_behind_another_one_in_any_other_way() -> None:
    """A text that comes from elsewhere has its full stop, or has none: whoever adds to it cannot know."""
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
