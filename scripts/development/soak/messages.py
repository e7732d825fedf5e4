"""Messages that the soak test publishes itself: readings that come late or twice, and poison."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from itertools import count, cycle
from typing import Any

import aio_pika

from tests.services.amqp_properties import UNREADABLE, publish_raw

from .gateways import Ledger, Moment, Values

EXCHANGE, DEAD_LETTERS = "Enphase", "Enphase.DeadLetter"
#: A key that the binding of the consumers' queue matches, and that the publishers do not use.
_ROUTING_KEY = "MeterStream.soak"

#: The keys of the publishers, and a queue that nothing consumes until the end of the run.
_PUBLISHED_KEYS, _PUBLISHED = ("MeterStream", "MeterStream.partial"), "Soak.Published"

#: Serial numbers of gateways that exist only in these messages.
TWICE, STRANGE, CONFLICTING = (f"12239900000{number}" for number in range(1, 4))

#: The first serial number of gateways whose readings come late.
_LATE = 122399000010

#: Keys of a message, in the order of COLUMNS.
_KEYS = (
    "actPower", "reactPwr", "apprntPwr", "rmsVoltage", "rmsCurrent", "pwrFactor", "freqHz", "whDlvdCum",
    "whRcvdCum", "vahCum", "varhLagCum", "varhLeadCum",
)  # fmt: skip

_DAY = 86_400

#: Seconds of readings that one gateway sends late: less than a day, so that they are all old enough to prune.
_LATE_SPAN = 36_000

#: Seconds after which messages must be confirmed.
_TIMEOUT = 60

#: Poison messages are published in pieces of this length.
_PIECE = 100


def _replace(**values: Any) -> Callable[[dict[str, Any]], bytes]:
    """Return what builds the body of a good message with other values."""
    return lambda good: json.dumps({**good, **values}).encode()


def _meter(**values: Any) -> Callable[[dict[str, Any]], bytes]:
    """Return what builds the body of a good message whose first meter has other values."""
    return lambda good: json.dumps({**good, "meters": [{**good["meters"][0], **values}]}).encode()


#: What makes the body of a message that can never be stored of a good one, by what is wrong.
POISON: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "empty": lambda _: b"",
    "not JSON": lambda _: b"<html>Please wait</html>",
    "cut short": lambda good: json.dumps(good).encode()[:-20],
    "not UTF-8": lambda good: json.dumps(good).encode().replace(b"production", b"production\xff"),
    "NaN": _meter(actPower=float("nan")),
    "a list": lambda good: json.dumps([good]).encode(),
    "a number": lambda _: b"1764000000",
    "nested": lambda _: b'{"a":' * 500 + b"1" + b"}" * 500,
    "too large": _replace(remark="x" * 70_000),
    "a later version": _replace(schema_version=2),
    "a version in words": _replace(schema_version="one"),
    "no gateway": _replace(gateway_serial_number=None),
    "another gateway": _replace(gateway_serial_number="../../etc"),
    "no time": _replace(timestamp=None),
    "a time in words": _replace(timestamp="noon"),
    "no list of meters": _replace(meters={"production": 1}),
    "meters in words": _replace(meters=["production"]),
    "too many meters": lambda good: json.dumps({**good, "meters": good["meters"] * 100}).encode(),
    "a phase too many": _meter(phase=4),
    "half a phase": _meter(phase=0.5),
    "no type of meter": _meter(measurement_type=None),
    "a type with spaces": _meter(measurement_type="DROP TABLE readings"),
    "no time of measurement": _meter(measured_at=None),
    "measured in 1970": _meter(measured_at=1000),
}


class Sender:
    """Publishes to the broker, past the proxy, with confirmation; and reads the dead letters."""

    def __init__(self, url: str, ledger: Ledger, serials: set[str]) -> None:
        """Add the serial numbers of the gateways in these messages to `serials`, also later ones."""
        serials |= {TWICE, STRANGE, CONFLICTING}
        self._serials = serials
        self._url = url
        self._ledger = ledger
        self._numbers = count()
        self._late_serials = count(_LATE)
        #: By days: the gateway whose readings are so late, and the times that it has left. Each minute comes
        #: only once, as readings of a pruned minute do not change its rollup.
        self._late: dict[int, tuple[str, range]] = {}
        #: Ids of the poison messages that the broker has confirmed.
        self.poison: set[str] = set()
        #: Readings that the broker has confirmed.
        self.confirmed: set[Moment] = set()

    def keep_published(self) -> None:
        """Keep a copy of each message that the publishers send from now on."""
        asyncio.run(self._keep_published())

    def read_published(self) -> set[Moment]:
        """Take these copies, and return what they hold: readings that may not be lost in any case."""
        contents = [json.loads(body) for _, body in asyncio.run(self._take_all(_PUBLISHED))]
        return {
            (content["gateway_serial_number"], meter["measured_at"])
            for content in contents
            for meter in content["meters"]
        }

    def send_late(self, number: int, days: int = 2) -> None:
        """Publish readings of some days ago, a second apart."""
        serial, times = self._late.get(days, ("", range(0)))
        if len(times) < number:
            serial = str(next(self._late_serials))
            self._serials.add(serial)
            start = round(time.time()) // 60 * 60 - days * _DAY
            times = range(start, start + _LATE_SPAN)
        self._send(serial, times[0], number)
        self._late[days] = serial, times[(number // 60 + 1) * 60 :]

    def send_twice(self, number: int, copies: int) -> None:
        """Publish readings several times: with the same id, and with others."""
        now = time.time() // 1 - number
        self._send(TWICE, now, number, copies)

    def send_conflicting(self, number: int, others: int, copies: int) -> None:
        """Publish several readings of each second, each of them several times."""
        first = round(time.time()) - number
        for _ in range(copies):
            for other in range(others):
                self._send(CONFLICTING, first, number, other=other)

    def send_strange(self) -> None:
        """Publish good readings, each with other properties that the AMQP library cannot decode."""
        now = time.time() // 1 - len(UNREADABLE)
        for at, properties in enumerate(UNREADABLE.values(), start=round(now)):
            values, body = build_reading(STRANGE, at)
            content = json.dumps(body).encode()
            asyncio.run(publish_raw(self._url, EXCHANGE, _ROUTING_KEY, properties, content))
            # The broker has it, and does not say so: the ledger takes it for safe.
            self._note((STRANGE, at * 1000), values)

    def send_poison(self, number: int) -> None:
        """Publish poison messages of all kinds in turn."""
        good = build_reading(TWICE, time.time() // 1)[1]
        kinds = cycle(POISON.values())
        bodies = [(f"poison-{uuid.uuid4().hex}", next(kinds)(good)) for _ in range(number)]
        for first in range(0, number, _PIECE):
            piece = bodies[first : first + _PIECE]
            asyncio.run(self._publish(piece))
            self.poison.update(each for each, _ in piece)

    def count_dead_letters(self) -> int:
        """Return how many dead letters wait in their queue; some may be there twice."""
        return asyncio.run(self._count())

    def read_dead_letters(self) -> list[str]:
        """Take all dead letters and return their ids."""
        return [id_ for id_, _ in asyncio.run(self._take_all(DEAD_LETTERS))]

    def _send(self, serial: str, start: float, number: int, copies: int = 1, other: int = 0) -> None:
        readings = {
            round(start) + index: build_reading(serial, start + index, other) for index in range(number)
        }
        for copy in range(copies):
            bodies = [
                (f"{serial}-{at if copy % 2 else next(self._numbers)}", json.dumps(body).encode())
                for at, (_, body) in readings.items()
            ]
            asyncio.run(self._publish(bodies))
        for at, (values, _) in readings.items():
            self._note((serial, at * 1000 + other), values)

    def _note(self, moment: Moment, values: Values) -> None:
        self._ledger.note(moment, values)
        self.confirmed.add(moment)

    async def _publish(self, bodies: Sequence[tuple[str, bytes]]) -> None:
        async with asyncio.timeout(_TIMEOUT), await aio_pika.connect(self._url) as connection:
            channel = await connection.channel()
            exchange = await channel.get_exchange(EXCHANGE)
            await asyncio.gather(*(self._publish_one(exchange, *each) for each in bodies))

    async def _publish_one(self, exchange: aio_pika.abc.AbstractExchange, id_: str, body: bytes) -> None:
        message = aio_pika.Message(
            body, message_id=id_, content_type="application/json", delivery_mode=2, app_id="soak"
        )
        await exchange.publish(message, _ROUTING_KEY, mandatory=True)

    async def _count(self) -> int:
        async with asyncio.timeout(_TIMEOUT), await aio_pika.connect(self._url) as connection:
            queue = await (await connection.channel()).declare_queue(DEAD_LETTERS, passive=True)
            return queue.declaration_result.message_count or 0

    async def _keep_published(self) -> None:
        async with asyncio.timeout(_TIMEOUT), await aio_pika.connect(self._url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(
                _PUBLISHED, durable=True, arguments={"x-queue-type": "quorum"}
            )
            for key in _PUBLISHED_KEYS:
                await queue.bind(EXCHANGE, key)

    async def _take_all(self, name: str) -> list[tuple[str, bytes]]:
        """Take all messages of a queue, and return their ids and bodies."""
        found: list[tuple[str, bytes]] = []
        async with await aio_pika.connect(self._url) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=1_000)
            queue = await channel.get_queue(name)
            expected = queue.declaration_result.message_count or 0
            if not expected:
                return found
            async with queue.iterator() as messages:
                async for message in messages:
                    found.append((message.message_id or "", message.body))
                    await message.ack()
                    if len(found) == expected:
                        break
        return found


def build_reading(serial: str, at: float, other: int = 0) -> tuple[Values, dict[str, Any]]:
    """Return a reading of one meter with its total and a phase, and the body of its message.

    `other`: readings of the same second differ in this, and then in nothing but their powers.
    """
    values: Values = {}
    meters = []
    for phase in (0, 1):
        power = (at * 7 + phase) % 1000 - 300 + other
        numbers = (
            power, 10.0, abs(power), 230.5, abs(power) / 230.5, 1.0 if power > 0 else -1.0, 50.0,
            at / 100, at / 200, at / 90, 100.0, 200.0,
        )  # fmt: skip
        values["production", phase] = tuple(float(f"{each:.3f}") for each in numbers)
        keyed = zip(_KEYS, values["production", phase], strict=True)
        key = {"measurement_type": "production", "phase": phase, "measured_at": round(at) * 1000}
        meters.append({**key, **dict(keyed)})
    body = {
        "timestamp": at + 0.5,
        "schema_version": 1,
        "gateway_serial_number": serial,
        "has_unmetered_batteries": False,
        "meters": meters,
    }
    return values, body


def find_unexpected(letters: Iterable[str], poison: set[str]) -> list[str]:
    """Return the ids of good messages among the dead letters."""
    return sorted(set(letters) - poison)
