"""An integration for tests, with an action that compiles the statistics of the current hour.

The Energy dashboard shows only hours with statistics, and a test cannot wait until an hour ends.
"""

from datetime import timedelta

from homeassistant.components.recorder.tasks import StatisticsTask
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers.recorder import get_instance
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt as dt_util

_PERIOD = timedelta(minutes=5)
_PERIODS_AN_HOUR = 12


async def async_setup(hass: HomeAssistant, _: ConfigType) -> bool:
    """Register the action `compile`, which returns when this hour and the last one have statistics."""

    async def compile_statistics(_: ServiceCall) -> None:
        recorder = get_instance(hass)
        hour = dt_util.utcnow().replace(minute=0, second=0, microsecond=0)
        for number in range(-_PERIODS_AN_HOUR, _PERIODS_AN_HOUR):
            recorder.queue_task(StatisticsTask(hour + number * _PERIOD, fire_events=True))
        await recorder.async_block_till_done()

    hass.services.async_register("statistics_now", "compile", compile_statistics)
    return True
