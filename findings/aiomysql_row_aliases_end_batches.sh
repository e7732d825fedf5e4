#!/usr/bin/env bash
# aiomysql 0.3.2: executemany sends one statement a row if the INSERT has a row alias, the way that MySQL recommends.
#
# An INSERT of many rows is sent as one statement, but only if its text fits a pattern. MySQL 8.0.20 and later warn that
# VALUES() in ON DUPLICATE KEY UPDATE is deprecated, and name the row alias (VALUES (...) AS new) instead. With the
# alias, or with RETURNING, which MariaDB has, the pattern does not fit: the result is the same, but a batch of a thousand
# rows takes a thousand round trips.
#
# Seen, statements for 1000 rows:
#   VALUES(): 1; row alias: 1000; RETURNING: 1000
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aiomysql==0.3.2 PyMySQL==1.1.2

cat > "$folder/statements.py" <<'PYTHON'
import asyncio
from types import SimpleNamespace

from aiomysql.cursors import Cursor

INSERT = "INSERT INTO readings (id, power) VALUES (%s, %s)"
WAYS = {
    "VALUES()": f"{INSERT} ON DUPLICATE KEY UPDATE power = VALUES(power)",
    "row alias": f"{INSERT} AS new ON DUPLICATE KEY UPDATE power = new.power",
    "RETURNING": f"{INSERT} RETURNING id",
}


class CountingCursor(Cursor):
    """Counts the statements that go to the server, instead of sending them."""

    statements = 0

    async def execute(self, query, args=None):
        self.statements += 1
        return 1


async def count(query: str) -> int:
    # All that executemany needs of a connection.
    cursor = CountingCursor(SimpleNamespace(encoding="utf8", escape=str, loop=None))
    await cursor.executemany(query, [(number, 230.5) for number in range(1000)])
    return cursor.statements


print("; ".join(f"{way}: {asyncio.run(count(query))}" for way, query in WAYS.items()))
PYTHON

seen=$("$folder/venv/bin/python" "$folder/statements.py")
echo "aiomysql 0.3.2: $seen"
[ "$seen" = "VALUES(): 1; row alias: 1000; RETURNING: 1000" ]
