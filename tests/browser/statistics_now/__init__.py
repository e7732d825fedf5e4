"""An integration for tests: lets the recorder sum up the hour at once that it would sum up when it is over.

The Energy dashboard shows hours that are summed up; a test cannot wait for the next one.
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
    """Offer the action `compile`, which returns once this hour and the last one are in the statistics."""

    async def compile_statistics(_: ServiceCall) -> None:
        recorder = get_instance(hass)
        hour = dt_util.utcnow().replace(minute=0, second=0, microsecond=0)
        for number in range(-_PERIODS_AN_HOUR, _PERIODS_AN_HOUR):
            recorder.queue_task(StatisticsTask(hour + number * _PERIOD, fire_events=True))
        await recorder.async_block_till_done()

    hass.services.async_register("statistics_now", "compile", compile_statistics)
    return True
