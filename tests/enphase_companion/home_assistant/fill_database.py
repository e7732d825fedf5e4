"""Fill a database with constant powers in each hour, see `tests.hourly_energies`.

The arguments are URL, TIME ZONE, SERIAL NUMBER, START, END and RESET, the last three in epoch seconds. At
RESET, a whole hour, the counters begin again at 0; 0 for never.
"""

import asyncio
import sys
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from enphase_api.models import Quantities
from enphase_companion.message import Message, Sample
from enphase_companion.storage import Database
from tests.hourly_energies import METERS, energy_of

#: Seconds between two readings.
_STEP = 300
_HOUR = 3600


def _messages(serial: str, start: int, end: int, reset: int) -> Iterator[Message]:
    counters = {name: [1e6, 2e6] for name in METERS}
    for at in range(start, end + 1, _STEP):
        samples = []
        for name, counted in counters.items():
            if at == reset:
                counted[:] = [0.0, 0.0]
            elif at > start:
                energies = energy_of(name, (at - _STEP) // _HOUR)
                counted[:] = [
                    value + energy * _STEP / _HOUR for value, energy in zip(counted, energies, strict=True)
                ]
            delivered, received = energy_of(name, at // _HOUR)
            quantities = Quantities(
                active_power=delivered - received, energy_delivered=counted[0], energy_received=counted[1]
            )
            samples.append(Sample(name, 0, at * 1000, quantities))
        yield Message(serial, float(at), tuple(samples), None, False)


async def _fill(url: str, zone: str, serial: str, start: int, end: int, reset: int) -> None:
    async with Database(url, ZoneInfo(zone)) as database:
        await database.upgrade()
        await database.write(_messages(serial, start, end, reset))
        await database.roll_up()


if __name__ == "__main__":
    address, zone, serial, *times = sys.argv[1:]
    start, end, reset = map(int, times)
    asyncio.run(_fill(address, zone, serial, start, end, reset))
