#!/usr/bin/env bash
# Alembic 1.20.1 with SQLAlchemy 2.1.9: the SQL of an offline migration (--sql) doubles each percent sign in a default or
# comment, if the driver of the URL formats parameters with %s.
#
# A table that the printed script creates has the default '100%%'; the same migration run online creates '100%'. Which of
# both is printed depends on the driver in the URL, although the script is for the server's own client: pymysql, mysqldb,
# asyncmy and psycopg2 double the sign; mysqlconnector and asyncpg do not.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check alembic==1.20.1 SQLAlchemy==2.1.9

"$folder/venv/bin/python" - <<'PYTHON'
import io

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations


def render(driver: str) -> str:
    script = io.StringIO()
    context = MigrationContext.configure(
        url=f"{driver}://", opts={"as_sql": True, "output_buffer": script}
    )
    share = sa.Column("share", sa.String(9), server_default="100%", comment="share in %")
    Operations(context).create_table("shares", share)
    return script.getvalue()


doubled = {
    driver: "'100%%'" in render(driver) and "'share in %%'" in render(driver)
    for driver in (
        "mysql+pymysql",
        "mysql+mysqldb",
        "mysql+asyncmy",
        "postgresql+psycopg2",
        "mysql+mysqlconnector",
        "postgresql+asyncpg",
    )
}
for driver, is_doubled in doubled.items():
    print(f"{driver}: {'100%% and share in %%' if is_doubled else '100% and share in %'}")
assert list(doubled.values()) == [True] * 4 + [False] * 2
PYTHON
