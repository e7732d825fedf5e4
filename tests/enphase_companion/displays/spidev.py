"""In the place of the package that drives the SPI bus: keeps what the HAT would have been sent.

Also for a process of its own: with the folder of this file in PYTHONPATH, everything is added to the file
that FAKE_SPI names.
"""

from __future__ import annotations

import os
from pathlib import Path


class SpiDev:
    """A bus that is always there, unless FAKE_SPI_ERROR says with which error number it is not."""

    sent: list[list[int]] = []  # noqa: RUF012 - of all there are, as there is one bus
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
