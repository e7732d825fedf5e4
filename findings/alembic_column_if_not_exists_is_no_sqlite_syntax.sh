#!/usr/bin/env bash
# Alembic 1.20.1 (SQLAlchemy 2.1.9): add_column(if_not_exists=True) and drop_column(if_exists=True) are syntax errors in
# SQLite, although create_table(if_not_exists=True) works there.
#
# Both pass the words on as SQL, and SQLite has no ALTER TABLE ... ADD COLUMN IF NOT EXISTS. A migration that is to continue
# after an interruption must look for the column itself, with sqlalchemy.inspect(op.get_bind()).
#
# Seen with SQLite 3.40.1: create_table twice: no error; add_column and drop_column: near "EXISTS": syntax error.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check alembic==1.20.1 SQLAlchemy==2.1.9

"$folder/venv/bin/python" - <<'PYTHON'
import sqlite3

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

results = {}
with sa.create_engine("sqlite://").begin() as connection:
    operations = Operations(MigrationContext.configure(connection))
    for _ in range(2):
        operations.create_table("meters", sa.Column("id", sa.Integer, primary_key=True), if_not_exists=True)
    results["create_table twice"] = "no error"
    for name, change in {
        "add_column": lambda: operations.add_column(
            "meters", sa.Column("name", sa.String(9)), if_not_exists=True
        ),
        "drop_column": lambda: operations.drop_column("meters", "name", if_exists=True),
    }.items():
        try:
            change()
            results[name] = "no error"
        except sa.exc.OperationalError as error:
            results[name] = str(error.orig)
print(f"SQLite {sqlite3.sqlite_version}")
for name, result in results.items():
    print(f"{name}: {result}")
assert results["create_table twice"] == "no error"
assert results["add_column"] == results["drop_column"] == 'near "EXISTS": syntax error'
PYTHON
