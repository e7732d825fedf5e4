"""docs/settings.md and docs/scripts.md document all settings and exit statuses of the scripts."""

from __future__ import annotations

import re
from pathlib import Path

from enphase_companion.config.settings import SETTINGS, variable
from enphase_companion.runtime import main

DOCS = Path(__file__).parents[2] / "docs"
SCRIPTS = (DOCS / "scripts.md").read_text()


def build_row(name: str) -> str:
    """Return the row of a setting in the table, as it is declared."""
    setting = SETTINGS[name]
    about = setting.metadata
    default = setting.default
    shown = ",".join(default) if isinstance(default, tuple) else "false" if default is False else default
    cells = (
        f"`{name}`",
        f"`{variable(name)}`" if about["has_variable"] else "",
        f"`{shown:g}`" if isinstance(shown, float) else "" if shown is None else f"`{shown}`",
        f"{about['meaning']}{' **(secret)**' if about['secret'] else ''}",
    )
    return f"| {' | '.join(cells)} |"


def test_every_setting_is_in_the_table_as_it_is_declared() -> None:
    rows = [line for line in (DOCS / "settings.md").read_text().splitlines() if line.startswith("| `")]
    assert rows == [build_row(name) for name in SETTINGS]


def test_every_exit_status_is_in_the_table() -> None:
    listed = {int(status) for status in re.findall(r"^\| (\d+) \|", SCRIPTS, re.MULTILINE)}
    assert listed == {0, 1, 2, main.INTERRUPTED, main.UNREAD, main.TERMINATED}


def test_the_pictures_exist_and_load_nothing_from_other_hosts() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", SCRIPTS)
    assert pictures
    for picture in pictures:
        drawn = (DOCS / picture).read_bytes()
        assert not re.search(rb"(?:url\(|href=)[\"']?https?:", drawn)
