"""Displays for tests: the HAT's own library on a bus that is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from . import spidev


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[spidev.SpiDev]]:
    """The bus that a HAT created in this test is on; the library is loaded anew, as by a new process."""
    monkeypatch.setitem(sys.modules, "spidev", spidev)
    monkeypatch.delitem(sys.modules, "unicornhathd", raising=False)
    spidev.SpiDev.sent.clear()
    spidev.SpiDev.opened.clear()
    yield spidev.SpiDev
    sys.modules.pop("unicornhathd", None)
