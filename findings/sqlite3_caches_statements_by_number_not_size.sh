#!/usr/bin/env bash
# Python's sqlite3 (below aiosqlite 0.22.1 and SQLAlchemy 2.0.54) keeps the last 128 statements, however large each is.
#
# A multi-row INSERT ... VALUES has another text for each number of rows. A program that writes batches of varying size
# this way fills the cache with compiled statements of megabytes each: 200 batches of some 5,000 rows with 6 columns
# take a process to over 400 MB. The same rows through executemany have one short text; or the cache is turned off with
# cached_statements=0. SQLAlchemy's own cache has no part in it: query_cache_size is 0 here.
#
# Seen, peak memory of a process beside one that uses executemany (47 MB): values with the cache more than 5 times
# (423 MB), values without it less than 2.5 times (73 MB).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  "SQLAlchemy[asyncio]==2.0.54" aiosqlite==0.22.1

cat > "$folder/memory.py" <<'PYTHON'
import asyncio
import resource
import sys

from sqlalchemy import Column, Float, Integer, MetaData, Table, insert
from sqlalchemy.ext.asyncio import create_async_engine

way, cached = sys.argv[1], int(sys.argv[2])
names = [f"phase_{number}" for number in range(6)]
readings = Table(
    "readings", MetaData(), Column("id", Integer, primary_key=True), *(Column(name, Float) for name in names)
)


async def write() -> None:
    engine = create_async_engine(
        "sqlite+aiosqlite://", query_cache_size=0, connect_args={"cached_statements": cached}
    )
    async with engine.begin() as connection:
        await connection.run_sync(readings.metadata.create_all)
        for batch in range(200):
            rows = [dict.fromkeys(names, 1.0)] * (5000 + batch)
            if way == "executemany":
                await connection.execute(insert(readings), rows)
            else:
                await connection.execute(insert(readings).values(rows))
            await connection.execute(readings.delete())
    await engine.dispose()


asyncio.run(write())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
PYTHON

peak() { "$folder/venv/bin/python" "$folder/memory.py" "$@"; }
few=$(peak executemany 128)
with=$(peak values 128)
without=$(peak values 0)
echo "aiosqlite 0.22.1, SQLAlchemy 2.0.54, peak memory in MB: executemany $((few / 1024))," \
  "values $((with / 1024)), values without the cache $((without / 1024))"
[ $((with / few)) -ge 5 ] && [ $((without * 2 / few)) -lt 5 ]
