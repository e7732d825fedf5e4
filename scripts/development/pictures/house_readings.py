"""Readings of a simulated house, stored in a database without the wait for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from zoneinfo import ZoneInfo

from enphase_api.models import Quantities
from enphase_companion.message import InverterSample, Message, Sample
from enphase_companion.simulator.house import House
from enphase_companion.storage import Database

_GATEWAY = "122300000001"

#: Number of the microinverter that falls silent.
_SILENT = 2

#: Messages in one transaction.
_AT_ONCE = 1_000


async def store(url: str, zone: ZoneInfo, house: House, moments: Iterable[int]) -> None:
    """Store what the meters of a house read at these moments (epoch seconds), and roll it up."""
    messages = build_messages(house, moments)
    async with Database(url, zone) as database:
        await database.upgrade()
        while some := list(islice(messages, _AT_ONCE)):
            await database.write(some)
        await database.roll_up()


async def store_inverters(
    url: str, zone: ZoneInfo, house: House, moments: Iterable[int], shares: Mapping[int, float], silent: int
) -> None:
    """Store what the microinverters of a house report at these moments (epoch seconds).

    `shares`: what some report of their power, by number: they are in the shade. The third one falls silent
    at `silent`.
    """
    energies: dict[str, float] = defaultdict(lambda: 100_000.0)
    before: int | None = None
    messages = []
    for at in moments:
        samples = []
        for number, (serial_number, watts) in enumerate(house.truth(at).inverters.items()):
            power = watts * shares.get(number, 1)
            energies[serial_number] += 0 if before is None else power * (at - before) / 3600
            if watts > 0 and (number != _SILENT or at < silent):
                samples.append(InverterSample(serial_number, at * 1000, power, energies[serial_number]))
        before = at
        if samples:
            messages.append(Message(_GATEWAY, at, (), None, inverters=tuple(samples)))
    async with Database(url, zone) as database:
        await database.upgrade()
        await database.write(messages)


def build_messages(house: House, moments: Iterable[int]) -> Iterator[Message]:
    """Yield the messages of a house's meters at these moments (epoch seconds)."""
    meters = [meter.measurement_type for meter in house.profile.meters if meter.enabled]
    for at in moments:
        truth = house.truth(at)
        samples = [
            Sample(
                name,
                phase,
                at * 1000,
                Quantities(
                    active_power=seen.active_power,
                    energy_delivered=seen.energy_delivered,
                    energy_received=seen.energy_received,
                ),
            )
            for name in meters
            for phase, seen in enumerate((truth.of(name).total, *truth.of(name).phases))
        ]
        yield Message(_GATEWAY, at, tuple(samples), None)
