"""docs/scripts.md says everything about the settings and exit statuses that the scripts have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from enphase_companion.config.settings import KEYS, variable
from enphase_companion.runtime import command

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "scripts.md"


@pytest.mark.parametrize("name", KEYS)
def test_each_key_stands_in_the_table_with_its_variable(name: str) -> None:
    rows = [line for line in DOCUMENTATION.read_text().splitlines() if line.startswith("| `")]
    row = next(row for row in rows if f"`{name}`" in row.split("|")[1])
    assert (f"`{variable(name)}`" in row) is KEYS[name].metadata["has_variable"]


def test_each_exit_status_stands_in_the_table() -> None:
    listed = {int(status) for status in re.findall(r"^\| (\d+) \|", DOCUMENTATION.read_text(), re.MULTILINE)}
    assert listed == {0, 1, 2, command.INTERRUPTED, command.UNREAD, command.TERMINATED}


def test_its_pictures_are_there_and_fetch_nothing_from_elsewhere() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", DOCUMENTATION.read_text())
    assert pictures
    for picture in pictures:
        drawn = (DOCUMENTATION.parent / picture).read_bytes()
        assert not re.search(rb"(?:url\(|href=)[\"']?https?:", drawn)
