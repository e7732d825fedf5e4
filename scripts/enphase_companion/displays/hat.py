"""The real display: Pimoroni's Unicorn HAT HD on a Raspberry Pi, through its own library."""

from __future__ import annotations

from ..runtime.errors import CommandError, how_to_install
from .frames import Frame, to_light

_INSTEAD = "without a HAT, use --display terminal"


class Hat:
    """The HAT; see Display."""

    is_animation = False

    def __init__(self, brightness: float, rotation: int) -> None:
        """Open the SPI bus.

        Raises CommandError if there is no HAT, or the library is missing.
        """
        try:
            import unicornhathd  # type: ignore[import-untyped]  # noqa: PLC0415 - nothing else may load it
        except ImportError as error:
            raise CommandError(
                f"--display hat: the Python package {error.name or 'spidev'} is missing: "
                f"on a Raspberry Pi, install the project, in its folder: {how_to_install('hat')}; {_INSTEAD}"
            ) from None
        self.brightness = brightness
        self._library = unicornhathd
        self._library.rotation(rotation)
        try:
            self._library.setup()
        except OSError as error:
            raise self._broken(error) from None

    def show(self, frame: Frame, seconds: float) -> None:  # noqa: ARG002 - for recordings
        """Send a frame; the library then waits 1/120 s."""
        # What the library calls x are rows: a picture goes in as it is.
        self._library.get_pixels()[:] = to_light(frame)
        self._library.brightness(self.brightness)
        try:
            self._library.show()
        except OSError as error:
            raise self._broken(error) from None

    def end_of_round(self) -> None:
        """Go on."""

    def close(self) -> None:
        """Switch all LEDs off."""
        try:
            self._library.off()
        except OSError as error:
            raise self._broken(error) from None

    @staticmethod
    def _broken(error: OSError) -> CommandError:
        return CommandError(
            f"--display hat: the HAT is not reachable over SPI ({error.strerror or type(error).__name__}): "
            f"enable SPI with raspi-config, and add the user of this script to the group spi; {_INSTEAD}"
        )
