"""The sky over a place: how high the sun stands and how much of it the clouds let through.

Times are the place's own, by the sun (seconds, see `House`): the same hour of the same day has the same sky,
wherever on earth and whenever it is looked at.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import cos, pi, radians, sin

from .noise import Noise

#: Panels face the equator at this slope (degrees).
TILT = 35.0


class Sky:
    """Sunshine on tilted panels at one place: 1.0 is the full sun straight onto them."""

    def __init__(self, seed: int, latitude: float) -> None:
        """`latitude` in degrees, north positive."""
        self._latitude = radians(latitude)
        self._tilted = radians(latitude - TILT if latitude >= 0 else latitude + TILT)
        #: Weather of the day, cloud fields within the hour, single clouds within minutes.
        self._clouds = [
            (0.5, Noise(seed, "weather", 6 * 3600)),
            (0.35, Noise(seed, "cloud fields", 40 * 60)),
            (0.15, Noise(seed, "single clouds", 6 * 60)),
        ]

    def sunshine(self, at: float) -> float:
        """0 (night) to about 1 (clear, straight onto the panels)."""
        day = datetime.fromtimestamp(at, UTC).timetuple().tm_yday
        declination = radians(-23.44) * cos(2 * pi * (day + 10) / 365.25)
        hour_angle = (at / 3600 % 24 - 12) * pi / 12
        turning = cos(declination) * cos(hour_angle)
        height = sin(declination) * sin(self._latitude) + turning * cos(self._latitude)
        if height <= 0:
            return 0.0
        onto_panels = sin(declination) * sin(self._tilted) + turning * cos(self._tilted)
        #: Near the horizon the light passes through more air.
        through_air = min(1.0, height / 0.25)
        return max(0.0, onto_panels) * through_air * self._through_clouds(at)

    def cloud_cover(self, at: float) -> float:
        """0 (clear) to 1 (overcast), by day and by night."""
        cover = sum(weight * cloud(at) for weight, cloud in self._clouds)
        return min(1.0, max(0.0, (cover - 0.35) / 0.4))

    def _through_clouds(self, at: float) -> float:
        overcast = self.cloud_cover(at)
        return 1 - 0.8 * overcast * overcast * (3 - 2 * overcast)
