"""Make the pytest plug-in work with a newer Home Assistant than it supports; loaded before it, with `-p`.

The plug-in (0.13.375, for 2026.10.4) fails on 2026.11.0 in two places. It imports httpx before Home Assistant
has replaced it with an alias, so Home Assistant must be imported first. It also resets a part of the logger
component that was removed. Delete this file once the plug-in supports 2026.11.
"""

from homeassistant.components import logger

RESET = "_clear_logger_overwrites"


def _reset_nothing(_hass: object) -> None:
    """Replace the function that the tear-down of the plug-in calls and 2026.11 has removed."""


if not hasattr(logger, RESET):
    setattr(logger, RESET, _reset_nothing)
