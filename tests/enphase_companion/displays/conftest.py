"""The HAT's library on a fake SPI bus."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from . import spidev


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[spidev.SpiDev]]:
    """Yield the bus of a HAT created in this test. The library is imported again, as in a new process."""
    monkeypatch.setitem(sys.modules, "spidev", spidev)
    monkeypatch.delitem(sys.modules, "unicornhathd", raising=False)
    spidev.SpiDev.sent.clear()
    spidev.SpiDev.opened.clear()
    yield spidev.SpiDev
    sys.modules.pop("unicornhathd", None)
