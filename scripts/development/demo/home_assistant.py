"""Runs Home Assistant with a simulated Entrez: `python home_assistant.py ENTREZ SPEED -c CONFIGURATION ...`.

The integration itself has no setting for this: an owner's password goes to Enphase and to nobody else. SPEED
is the house's: what is polled every few minutes is polled so much more often, at most once a second.
"""

import importlib
import sys
from datetime import timedelta


def main() -> int:
    """Put the address in before Home Assistant starts, and return its exit status."""
    entrez, speed = sys.argv.pop(1), float(sys.argv.pop(1))
    # What `python -m homeassistant` has there: the folder it is started in, which is the configuration's.
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
