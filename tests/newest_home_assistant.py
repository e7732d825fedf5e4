"""Lets the pytest plug-in run on a newer Home Assistant than it was made for; loaded before it, with `-p`.

The plug-in (0.13.375, made for 2026.10.4) fails on 2026.11.0 in two places. It imports httpx before Home
Assistant has put its own alias in that place, so Home Assistant must be imported first. And it resets a part
of the logger component that is gone. Once the plug-in knows 2026.11, this file goes.
"""

from homeassistant.components import logger

RESET = "_clear_logger_overwrites"


def _reset_nothing(_hass: object) -> None:
    """Stand where the plug-in's tear-down looks for what 2026.11 has removed."""


if not hasattr(logger, RESET):
    setattr(logger, RESET, _reset_nothing)
