"""Fill a database: `python fill_database.py URL ZONE SERIAL START END`, with times in epoch seconds.

In each hour of UTC the powers are constant; `energy_of` has the energy of each hour in Wh. Needs the
environment of the scripts.
"""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

#: Seconds between two readings.
_STEP = 300
_HOUR = 3600

#: Measurement: factors of the delivered and of the received energy.
_METERS: Mapping[str, tuple[int, int]] = {"production": (24, 0), "net-consumption": (7, 5), "storage": (3, 4)}


def energy_of(measurement: str, hour: int) -> tuple[float, float]:
    """Return the delivered and the received energy (Wh) of an hour, counted since the epoch."""
    delivered, received = _METERS[measurement]
    return 100.0 * (hour % delivered), 50.0 * (hour % received) if received else 0.0


def _messages(serial: str, start: int, end: int) -> Iterator[object]:
    from enphase_api.models import Quantities  # noqa: PLC0415 - the energies are used without the scripts
    from enphase_companion.message import Message, Sample  # noqa: PLC0415

    counters = {name: [1e6, 2e6] for name in _METERS}
    for at in range(start, end + 1, _STEP):
        samples = []
        for name, counted in counters.items():
            if at > start:
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


async def _fill(url: str, zone: str, serial: str, start: int, end: int) -> None:
    from enphase_companion.storage import Database  # noqa: PLC0415

    async with Database(url, ZoneInfo(zone)) as database:
        await database.upgrade()
        await database.write(_messages(serial, start, end))  # type: ignore[arg-type]
        await database.roll_up()


if __name__ == "__main__":
    address, zone, serial, start, end = sys.argv[1:]
    asyncio.run(_fill(address, zone, serial, int(start), int(end)))
