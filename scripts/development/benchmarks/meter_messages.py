"""Messages of one gateway, as the benchmarks of the scripts store them."""

from enphase_api.models import Quantities
from enphase_companion.message import Message, Sample

_METERS = ("production", "net-consumption", "storage")


def build_message(second: int) -> Message:
    """Return what three meters of three phases read at this second: twelve rows."""
    quantities = Quantities(
        active_power=300.0 + second % 40,
        reactive_power=10.0,
        apparent_power=341.0,
        voltage=230.1,
        current=1.5,
        power_factor=0.99,
        frequency=50.0,
        energy_delivered=second / 3600,
        energy_received=second / 7200,
    )
    samples = tuple(
        Sample(measurement, phase, second * 1000, quantities) for measurement in _METERS for phase in range(4)
    )
    return Message("122300000001", second + 0.5, samples)
