"""The details of each microinverter: /ivp/pdm/device_data, which firmware 8 has, for at most 50 devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from ..json_values import (
    boolean,
    identifier,
    integer,
    json_object,
    nested_objects,
    number,
    text,
    thousandth,
    timestamp,
)
from .production import MAX_INVERTER_POWER, Inverter

#: The `devName` of a microinverter ("power conversion unit"); meters are in the same answer as "eim".
_MICROINVERTER = "pcu"

_JOULES_PER_WATT_HOUR = 3600

#: Wh at which a microinverter's lifetime energy starts again at 0: it counts joules in 32 bits.
INVERTER_ENERGY_LIMIT = 2**32 / _JOULES_PER_WATT_HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class InverterDetails(Inverter):
    """A microinverter as of its last report, with all that it reports.

    Of one with several channels, powers and energies are sums; voltages, currents, frequency and temperature
    are those of the first.
    """

    #: Wh, modulo `INVERTER_ENERGY_LIMIT` (1.19 MWh), also that of several channels.
    lifetime_energy: float | None
    #: Wh, on the day of the last report.
    energy_today: float | None
    #: V of the panel.
    dc_voltage: float | None
    #: A of the panel.
    dc_current: float | None
    #: V at the grid.
    ac_voltage: float | None
    #: A at the grid.
    ac_current: float | None
    #: Hz of the grid.
    frequency: float | None
    #: °C.
    temperature: float | None

    @classmethod
    def from_device(cls, data: Mapping[str, Any], serial_number: str) -> Self:
        """Parse one device; a microinverter that has not reported yet lacks most keys."""
        all_channels = nested_objects(data, "channels")
        # One that nothing is connected to has never reported.
        channels = [each for each in all_channels if _nested(each, "lastReading")] or all_channels[:1]
        last = _nested(channels[0], "lastReading") if channels else {}
        dates = [timestamp(_nested(each, "lastReading"), "endDate") for each in channels]
        reported_at = max((date for date in dates if date is not None), default=None)
        power = _sum(channels, "watts", "now", -MAX_INVERTER_POWER, MAX_INVERTER_POWER)
        most = _sum(channels, "watts", "max", 0, MAX_INVERTER_POWER)
        is_known = most is not None and most > 0 and (power is None or power <= most)
        joules = _sum(channels, "lifetime", "joulesProduced", 0, 1e15)
        if joules is not None and len(channels) > 1:
            # Each channel's counter starts again by itself: so does their sum, but for whole multiples.
            joules %= 2**32
        return cls(
            serial_number=serial_number,
            last_reported_at=reported_at,
            # Before the first report, all is 0.
            power=power if reported_at is not None else None,
            max_power=most if is_known else None,
            lifetime_energy=None if joules is None else joules / _JOULES_PER_WATT_HOUR,
            energy_today=_sum(channels, "wattHours", "today", 0, 24 * MAX_INVERTER_POWER)
            if reported_at
            else None,
            dc_voltage=thousandth(last, "dcVoltageINmV", 0, 200),
            dc_current=thousandth(last, "dcCurrentINmA", 0, 50),
            ac_voltage=thousandth(last, "acVoltageINmV", 0, 1000),
            # The firmware spells this key differently.
            ac_current=thousandth(last, "acCurrentInmA", 0, 50),
            frequency=thousandth(last, "acFrequencyINmHz", 0, 100),
            temperature=number(last, "channelTemp", -60, 150),
        )

    def as_of(self, now: datetime) -> Self:
        """Return the microinverter as of `now`, by the gateway's clock: only energies if it is silent."""
        if not self.is_silent(now):
            return self
        return replace(
            self,
            power=None,
            dc_voltage=None,
            dc_current=None,
            ac_voltage=None,
            ac_current=None,
            frequency=None,
            temperature=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceData:
    """The answer of /ivp/pdm/device_data."""

    #: The microinverters that are in service.
    inverters: tuple[InverterDetails, ...]
    #: Serial numbers of microinverters that were removed; gateways list them for years.
    removed: frozenset[str]
    #: Whether there are microinverters, and room for more: otherwise, the others are only in
    #: `Gateway.inverters`, or, in an empty answer, all of them.
    is_complete: bool

    @classmethod
    def from_json(cls, answer: object, path: str = "/ivp/pdm/device_data") -> Self:
        """Parse the whole answer; meters and devices without serial number are ignored.

        Raises InvalidAnswerError if it is not an object.
        """
        root = json_object(answer, path)
        devices = [device for device in root.values() if isinstance(device, dict)]
        inverters, removed = [], set()
        for device in devices:
            serial_number = identifier(device, "sn")
            if serial_number is None or text(device, "devName") != _MICROINVERTER:
                continue
            # modGone alone may only mean that it does not answer now.
            if boolean(device, "active") is False:
                removed.add(serial_number)
            else:
                inverters.append(InverterDetails.from_device(device, serial_number))
        count, limit = integer(root, "deviceCount", 0), integer(root, "deviceDataLimit", 1)
        return cls(
            inverters=tuple(inverters),
            removed=frozenset(removed),
            is_complete=bool(inverters) and limit is not None and max(count or 0, len(devices)) < limit,
        )

    def merge(self, listed: Iterable[Inverter]) -> tuple[Inverter, ...]:
        """Return these microinverters and those that only the list (`Gateway.inverters`) has."""
        known = self.removed | {inverter.serial_number for inverter in self.inverters}
        return (*self.inverters, *(each for each in listed if each.serial_number not in known))


def _sum(
    channels: Iterable[Mapping[str, Any]], group: str, key: str, low: float, high: float
) -> float | None:
    """Return the sum of a value of all channels; None if one is unknown."""
    values = [number(_nested(channel, group), key, low, high) for channel in channels]
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _nested(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}
