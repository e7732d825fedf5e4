"""Print what a database says about a stretch of time: `python -m development.demo.stored SERIAL START END`.

As JSON: the energy (Wh) of each kind, added up as charts do. START and END are milliseconds since the epoch;
ENPHASE_DATABASE_URL is the database. Runs in the environment of the scripts.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict

from enphase_companion.charts.series import Metering, calculate_totals
from enphase_companion.storage import Database


async def main(gateway: str, start: int, end: int) -> None:
    """Print the energies of a gateway in [start, end)."""
    async with Database(os.environ["ENPHASE_DATABASE_URL"]) as database:
        energies = await database.energies(gateway, start, end)
        unmetered = await database.has_unmetered_batteries(gateway)
    counted = {name: (each.delivered, each.received) for name, each in energies.items()}
    print(json.dumps(asdict(calculate_totals(counted, Metering(unmetered_batteries=unmetered)))))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
