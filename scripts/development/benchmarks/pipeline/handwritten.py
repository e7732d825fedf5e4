"""A consumer as one would write it by hand, with aio-pika and aiomysql, and without rollups.

    python -m development.benchmarks.pipeline.handwritten AMQP-URL QUEUE DATABASE-URL COUNT row|executemany

It stores and acknowledges one message after the other, each in a transaction of its own, and prints how many
it stored a second.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import aio_pika
import aiomysql  # type: ignore[import-untyped]
import orjson
from yarl import URL

_COLUMNS = (
    "actPower", "reactPwr", "apprntPwr", "rmsVoltage", "rmsCurrent", "pwrFactor", "freqHz",
    "whDlvdCum", "whRcvdCum", "vahCum", "varhLagCum", "varhLeadCum",
)  # fmt: skip
_KEY = ("gateway", "measured_at", "measurement_type", "phase")

_TABLE = f"""
CREATE TABLE handwritten (
    gateway VARCHAR(32), measured_at BIGINT, measurement_type VARCHAR(32), phase SMALLINT,
    {", ".join(f"{column} DOUBLE" for column in _COLUMNS)}, PRIMARY KEY ({", ".join(_KEY)})
)
"""
_INSERT = f"INSERT IGNORE INTO handwritten VALUES ({', '.join(['%s'] * (len(_KEY) + len(_COLUMNS)))})"  # noqa: S608

#: Messages that the broker sends ahead.
_PREFETCH = 1_000


def _build_rows(body: bytes) -> list[tuple[Any, ...]]:
    content = orjson.loads(body)
    return [
        (
            content["gateway_serial_number"],
            entry["measured_at"],
            entry["measurement_type"],
            entry["phase"],
            *(entry.get(column) for column in _COLUMNS),
        )
        for entry in content["meters"]
    ]


async def consume(amqp: str, queue_name: str, database: str, count: int, *, row_by_row: bool) -> float:
    """Store this number of messages of a queue, and return how many were stored a second."""
    url = URL(database)
    stored = begun = 0.0
    async with (
        aiomysql.connect(
            host=url.host, port=url.port, user=url.user, password=url.password or "", db=url.path[1:]
        ) as connection,
        connection.cursor() as cursor,
        await aio_pika.connect(amqp) as broker,
    ):
        await cursor.execute(_TABLE)
        channel = await broker.channel()
        await channel.set_qos(prefetch_count=_PREFETCH)
        queue = await channel.get_queue(queue_name, ensure=False)
        async with queue.iterator() as messages:
            async for message in messages:
                begun = begun or time.perf_counter()
                rows = _build_rows(message.body)
                if row_by_row:
                    for row in rows:
                        await cursor.execute(_INSERT, row)
                else:
                    await cursor.executemany(_INSERT, rows)
                await connection.commit()
                await message.ack()
                stored += 1
                if stored >= count:
                    break
    return stored / (time.perf_counter() - begun)


if __name__ == "__main__":
    amqp, queue, database, count, how = sys.argv[1:]
    print(asyncio.run(consume(amqp, queue, database, int(count), row_by_row=how == "row")))
