"""docs/reference.md documents every table, column and metric of the code, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from sqlalchemy import Table

from enphase_companion.runtime.metrics import COUNTERS, GAUGES
from enphase_companion.storage.schema import VERSION_TABLE
from enphase_companion.storage.tables import metadata

PAGE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")


def find_section(title: str) -> str:
    """Return the part of the page below a heading of the second level."""
    (found,) = (part for part in PAGE.split("\n## ") if part.startswith(f"{title}\n"))
    return found.strip()


def build_rows(table: Table) -> list[str]:
    """Return the rows of the page for a table."""
    return [f"| `{column.name}` | {column.comment} |" for column in table.columns]


def describe_tables(tables: Iterable[Table]) -> str:
    """Return the headings and rows of the page for tables. Adjacent tables with equal columns share one."""
    parts = []
    for rows, group in groupby(tables, build_rows):
        names = ", ".join(f"`{table.name}`" for table in group)
        parts.append("\n".join([f"### {names}", "", "| column | unit or meaning |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def test_every_table_and_column_is_on_the_page_with_its_unit() -> None:
    version = [f"### `{VERSION_TABLE}`", "", "| column | unit or meaning |", "|---|---|"]
    version.append("| `version_num` | version of the tables |")
    expected = describe_tables(metadata.tables.values()) + "\n\n" + "\n".join(version)
    _, heading, tables = find_section("Database tables").partition("### ")
    assert heading + tables == expected


def test_every_column_has_a_comment_with_its_unit() -> None:
    assert all(column.comment for table in metadata.tables.values() for column in table.columns)


def test_every_metric_is_on_the_page() -> None:
    rows = [f"| `enphase_{name}_total` | counter | {meaning} |" for name, meaning in COUNTERS.items()]
    rows += [f"| `enphase_{name}` | gauge | {meaning} |" for name, meaning in GAUGES.items()]
    _, heading, table = find_section("Prometheus metrics").partition("| metric ")
    assert heading + table == "\n".join(["| metric | type | meaning |", "|---|---|---|", *rows])
