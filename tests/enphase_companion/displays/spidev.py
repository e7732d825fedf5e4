"""A fake of the package that drives the SPI bus: it keeps the bytes sent to the HAT.

In another process, with the folder of this file in PYTHONPATH, it appends them to the file FAKE_SPI.
"""

from __future__ import annotations

import os
from pathlib import Path


class SpiDev:
    """A bus that opens successfully, unless FAKE_SPI_ERROR is an error number."""

    sent: list[list[int]] = []  # noqa: RUF012 - shared by all instances, as there is one bus
    opened: list[tuple[int, int]] = []  # noqa: RUF012

    max_speed_hz = 0

    def open(self, bus: int, device: int) -> None:
        if number := os.environ.get("FAKE_SPI_ERROR"):
            raise OSError(int(number), os.strerror(int(number)))
        self.opened.append((bus, device))

    def xfer2(self, values: list[int]) -> list[int]:
        self.sent.append(values)
        if file := os.environ.get("FAKE_SPI"):
            with Path(file).open("ab") as bus:
                bus.write(bytes(values))
        return values
