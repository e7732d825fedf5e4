"""A thousand gateways that publish in turn, by the clock of this process.

    python -m development.benchmarks.pipeline.load AMQP-URL QUEUE RATE SECONDS

RATE are the messages per second of all.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast

import aio_pika
import aiormq
from aio_pika import DeliveryMode
from aiormq import spec

from enphase_companion.message import Message, build_reports, encode

from ..meter_messages import build_message

_GATEWAYS = 1_000

#: Seconds between two pieces of what is due.
_PAUSE = 0.01

#: A time that is replaced in the encoded message: encoding anew would take the time of what is measured.
_SECOND = 1_700_000_000


def _build_bodies() -> list[bytes]:
    samples = build_message(_SECOND).samples
    messages = [Message(f"{122_300_000_000 + number}", _SECOND + 0.5, samples) for number in range(_GATEWAYS)]
    return [encode(each, build_reports(each)) for each in messages]


async def publish(url: str, queue: str, rate: int, seconds: float) -> int:
    """Publish for this time to a queue, and return the number of messages."""
    bodies = _build_bodies()
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=False)
        # Not aio-pika's own `publish`, which takes twice the time: what is measured shares the processor.
        amqp = cast(aiormq.Channel, await channel.get_underlay_channel())
        properties = spec.Basic.Properties(
            delivery_mode=DeliveryMode.PERSISTENT, content_type="application/json"
        )
        begun, sent = time.monotonic(), 0
        while (elapsed := time.monotonic() - begun) < seconds:
            for number in range(sent, int(elapsed * rate)):
                now = time.time()
                body = bodies[number % _GATEWAYS]
                # In milliseconds: above one a second, each is still another reading.
                for encoded, value in (
                    (b"%d000" % _SECOND, b"%d" % (now * 1000)),
                    (b"%d.5" % _SECOND, b"%.6f" % now),
                    (b"%d" % _SECOND, b"%d" % now),
                ):
                    body = body.replace(encoded, value)
                await amqp.basic_publish(body, routing_key=queue, properties=properties, wait=False)
                sent += 1
            await asyncio.sleep(_PAUSE)
    return sent


if __name__ == "__main__":
    amqp, name, per_second, duration = sys.argv[1:]
    print(asyncio.run(publish(amqp, name, int(per_second), float(duration))))
