"""The simulated house that is in the pictures, its owner's settings, and where pictures lie."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from enphase_companion.simulator import Simulator

from ..steps import PROJECT

IMAGES = PROJECT / "docs" / "images"

#: 2026-06-21 11:00 in Zurich. The houses stand there and then, whenever the pictures are made: a picture
#: changes only where what it shows has changed, but for some seconds and ports.
START = 1782032400
ZONE = "Europe/Zurich"
_HOUR = 10.0


@contextmanager
def house(
    profile: str, hour: float = _HOUR, weather: int | None = None, speed: float = 1
) -> Iterator[tuple[Simulator, dict[str, str]]]:
    """Yield this simulated gateway, and the environment of an owner who has trusted it.

    `weather`: a WMO weather code that replaces that of the house's sky.
    """
    with (
        Simulator(profile, start=START, hour_of_day=hour, speed=speed) as simulator,
        tempfile.TemporaryDirectory() as folder,
    ):
        simulator.weather.code, simulator.weather.wind = weather, 0
        (Path(folder) / "gateway.cer").write_text(simulator.certificate_pem)
        yield (
            simulator,
            {
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
                "TZ": ZONE,
                "ENPHASE_CONFIGURATION": folder,
                "ENPHASE_GATEWAY_HOST": simulator.url,
                "ENPHASE_GATEWAY_TOKEN": simulator.token(),
                "ENPHASE_WEATHER_HOST": simulator.weather_url,
                "ENPHASE_LATITUDE": "47.4",
                "ENPHASE_LONGITUDE": "8.5",
            },
        )


def keep(name: str, picture: str) -> None:
    """Store a picture."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / name).write_text(picture)
    print(f"docs/images/{name}")
