"""Run Home Assistant with a simulated Entrez: `python home_assistant.py ENTREZ SPEED -c CONFIGURATION ...`.

The integration has no setting for this, because a user's password is sent to Enphase only. SPEED is that of
the house: the poll intervals are divided by it, to one second at least.
"""

import importlib
import sys
from datetime import timedelta


def main() -> int:
    """Set the address, run Home Assistant, and return its exit status."""
    entrez, speed = sys.argv.pop(1), float(sys.argv.pop(1))
    # As with `python -m homeassistant`: the current folder, which is the configuration folder.
    sys.path[0] = ""
    from homeassistant.__main__ import main as run  # noqa: PLC0415  # no longer from the folder of this file

    connection = importlib.import_module("custom_components.enphase_iq_gateway.client")
    connection.AUTHENTICATION_HOST = entrez  # type: ignore[attr-defined]
    endpoints = importlib.import_module("custom_components.enphase_iq_gateway.endpoints")

    def shorten(interval: timedelta) -> timedelta:
        return max(interval / max(speed, 1), timedelta(seconds=1)) if interval else interval

    for endpoint, interval in endpoints.POLL_INTERVALS.items():
        endpoints.POLL_INTERVALS[endpoint] = shorten(interval)
    endpoints._METERED_BATTERIES_INTERVAL = shorten(endpoints._METERED_BATTERIES_INTERVAL)  # type: ignore[attr-defined]
    return run()


if __name__ == "__main__":
    sys.exit(main())
