"""The HAT with Pimoroni's library: the bytes sent over the bus."""

from __future__ import annotations

import errno
import sys

import numpy as np
import pytest

from enphase_companion.displays.frames import SIZE, Frame, blank
from enphase_companion.displays.hat import Hat
from enphase_companion.runtime.errors import CommandError

from .spidev import SpiDev

START = 0x72


@pytest.fixture
def frame() -> Frame:
    """Return a frame whose LEDs all differ, as do its rotations and mirror images."""
    numbers = np.arange(SIZE * SIZE * 3).reshape(SIZE, SIZE, 3)
    return (numbers % 256).astype(np.uint8)


def compute_brightness(value: int) -> float:
    return float((value / 255) ** 2.2 * 255)


def test_each_frame_is_sent_as_769_bytes_row_by_row(bus: type[SpiDev], frame: Frame) -> None:
    hat = Hat(1.0, 0)
    hat.show(frame, 0.04)
    assert bus.opened == [(0, 0)]
    (sent,) = bus.sent
    assert len(sent) == 769
    assert sent[0] == START
    assert sent[1:] == pytest.approx(
        [compute_brightness(value) for value in frame.flatten().tolist()], abs=0.51
    )


@pytest.mark.parametrize("brightness", [0.0, 0.25, 0.5, 1.0])
def test_brightness_scales_the_light(bus: type[SpiDev], brightness: float) -> None:
    Hat(brightness, 0).show(blank((255, 128, 0)), 0.04)
    red, green, blue = bus.sent[0][1:4]
    assert (red, blue) == (int(255 * brightness), 0)
    assert green == pytest.approx(compute_brightness(128) * brightness, abs=1.01)


def test_rotation_turns_the_frame_counterclockwise(bus: type[SpiDev]) -> None:
    frame = blank()
    frame[0, 15] = (255, 255, 255)  # upper right corner
    corners = {}
    for rotation in (0, 90, 180, 270):
        Hat(1.0, rotation).show(frame, 0.04)
        (lit,) = np.argwhere(np.reshape(bus.sent[-1][1:], (SIZE, SIZE, 3)).any(axis=2))
        corners[rotation] = tuple(lit.tolist())
    assert corners == {0: (0, 15), 90: (0, 0), 180: (15, 0), 270: (15, 15)}


def test_closing_the_hat_turns_the_leds_off(bus: type[SpiDev], frame: Frame) -> None:
    hat = Hat(1.0, 90)
    hat.show(frame, 0.04)
    hat.close()
    assert bus.sent[-1] == [START] + [0] * 768


def test_showing_a_frame_does_not_change_it(bus: type[SpiDev], frame: Frame) -> None:
    before = frame.copy()
    Hat(1.0, 180).show(frame, 0.04)
    assert np.array_equal(frame, before)


def test_the_error_of_a_missing_spi_bus_names_the_remedy(
    bus: type[SpiDev], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SPI_ERROR", str(errno.ENOENT))
    with pytest.raises(CommandError, match=r"over SPI \(No such file.*raspi-config.*--display terminal"):
        Hat(1.0, 0)


def test_a_later_bus_failure_is_an_error(bus: type[SpiDev], monkeypatch: pytest.MonkeyPatch) -> None:
    hat = Hat(1.0, 0)

    def raise_error(self: SpiDev, values: list[int]) -> list[int]:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(SpiDev, "xfer2", raise_error)
    with pytest.raises(CommandError, match="Input/output error"):
        hat.show(blank(), 0.04)
    with pytest.raises(CommandError, match="Input/output error"):
        hat.close()


def test_the_error_of_a_missing_library_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spidev", None)
    monkeypatch.delitem(sys.modules, "unicornhathd", raising=False)
    with pytest.raises(CommandError, match=r"package \w+ is missing.*'.\[hat\]'.*--display terminal"):
        Hat(1.0, 0)
