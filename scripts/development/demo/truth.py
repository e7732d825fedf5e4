"""The expected value of each entity of a simulated gateway, from the house and not from the served answers.

Written from what the product promises (which sensors there are, their unique ids, their signs), not from the
integration's code, and importing nothing of it: so the two can disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from enphase_companion.simulator.house import House
from enphase_companion.simulator.profiles import NET, PRODUCTION, STORAGE, TOTAL, Meter
from enphase_companion.simulator.truth import BatteryState, Truth


@dataclass(frozen=True)
class Moments:
    """When that which Home Assistant shows was measured; all of it in house time, epoch seconds."""

    #: Of the meters: what the sensor of the last reading shows.
    reading: float
    #: Of the microinverters' sum: what the diagnostics say.
    production: float
    #: By serial number: what the sensor of each unit's last report shows.
    reported: Mapping[str, float]
    #: For answers without a time: the times of the requests, by path.
    request_times: Callable[[str], Sequence[float]]


#: The one right text, or the least and the greatest number that is right.
Right = str | tuple[float, float]


@dataclass(frozen=True)
class Expected:
    """An expected entity and its value."""

    unique_id: str
    right: Callable[[Moments], Right]
    #: W, Wh, …; "time" for a moment in epoch seconds; "" for a number without unit or a text.
    unit: str = ""
    #: The gateway gives no finer steps than this (in the unit).
    step: float = 0.0
    #: It shows nothing until something happens, and in this house nothing does.
    silent: bool = False


_QUANTITIES = {
    "active_power": "W",
    "reactive_power": "var",
    "apparent_power": "VA",
    "voltage": "V",
    "current": "A",
    "power_factor": "",
    "frequency": "Hz",
    "energy_delivered": "Wh",
    "energy_received": "Wh",
}
#: What the gateway rounds meters' values to, in any unit.
_METER_STEP = 0.001
_READINGS, _INVERTERS = "/ivp/meters/readings", "/api/v1/production/inverters"
_PRODUCTION = "/production.json"
_INVENTORY, _POWER, _SUMS = "/ivp/ensemble/inventory", "/ivp/ensemble/power", "/ivp/ensemble/secctrl"
#: Seconds between two reports of a unit.
_INVERTER_INTERVAL, _BATTERY_INTERVAL = 300, 60

#: What is read of the truth of one moment.
Value = Callable[[Truth], float]


def get_expected_entities(
    house: House, serial_number: str, token_expiry: tuple[float, float], certificate_expiry: float
) -> list[Expected]:
    """Return all entities that a gateway with this house behind it should have; expiries in epoch seconds."""
    of_gateway = [
        *_site(house),
        *_meters(house),
        Expected("firmware", _constant(house.profile.firmware.lstrip("DR"))),
        Expected("token_expiry", _constant(token_expiry), "time"),
        Expected("certificate_expiry", _constant((certificate_expiry, certificate_expiry)), "time"),
    ]
    named = (replace(each, unique_id=f"{serial_number}_{each.unique_id}") for each in of_gateway)
    return [*named, *_inverters(house), *_batteries(house)]


def _site(house: House) -> Iterator[Expected]:
    """Production, grid, home and batteries."""
    has_production, has_net, has_total, has_storage = (
        house.profile.measures(kind) for kind in (PRODUCTION, NET, TOTAL, STORAGE)
    )

    def metered(key: str, unit: str, value: Value) -> Expected:
        return Expected(key, _at(house, _reading, value), unit, _METER_STEP)

    if has_production:
        yield metered("production_power", "W", lambda t: t.production.total.active_power)
        yield metered("production_energy", "Wh", lambda t: t.production.total.energy_delivered)
    else:
        power, energy = _sum_inverters, lambda t: t.production.total.energy_delivered
        yield Expected("production_power", _at(house, _production, power), "W", 1)
        yield Expected("production_energy", _at(house, _production, energy), "Wh", 1)
    if has_net or (has_total and has_production):
        yield metered("grid_power", "W", lambda t: t.net_consumption.total.active_power)
    if has_net:
        yield metered("grid_energy_imported", "Wh", lambda t: t.net_consumption.total.energy_delivered)
        yield metered("grid_energy_exported", "Wh", lambda t: t.net_consumption.total.energy_received)
    if has_total or (has_net and has_production):
        yield metered("home_power", "W", lambda t: t.total_consumption.total.active_power)
        yield metered("home_energy", "Wh", lambda t: t.total_consumption.total.energy_delivered)
    if has_storage:
        yield metered("battery_power", "W", lambda t: t.storage.total.active_power)
        yield metered("battery_energy_discharged", "Wh", lambda t: t.storage.total.energy_delivered)
        yield metered("battery_energy_charged", "Wh", lambda t: t.storage.total.energy_received)
    if house.profile.battery:
        charge = _at(house, _times_of_request(_SUMS), lambda t: _battery(t).state_of_charge)
        energy = _at(house, _times_of_request(_SUMS), lambda t: _battery(t).available_energy)
        yield Expected("battery_charge", charge, "%", 1)
        yield Expected("battery_available_energy", energy, "Wh", 1)
        yield Expected(
            "battery_capacity", _at(house, _times_of_request(_SUMS), lambda t: _battery(t).capacity), "Wh", 1
        )
        yield Expected(
            "battery_reserve", _at(house, _times_of_request(_SUMS), lambda t: _battery(t).reserve), "%", 1
        )
        yield Expected("grid_connected", _constant("on"))


def _meters(house: House) -> Iterator[Expected]:
    """Yield every quantity of each enabled meter and its wired phases, except those of the site's sensors."""
    profile = house.profile
    meters = [meter for meter in profile.meters if meter.enabled and meter.listed]
    if meters:
        yield Expected(
            "last_reading", lambda m: _span(int(moment) for moment in m.request_times(_READINGS)), "time"
        )
    else:
        yield Expected("last_reading", _last_report_range(_PRODUCTION, _INVERTER_INTERVAL), "time")
    phases = range(profile.wired) if (profile.phase_count or profile.wired) > 1 else range(0)
    for meter in meters:
        key = f"{meter.eid}_{meter.measurement_type}"
        yield Expected(f"{key}_status", _constant("normal"))
        yield Expected(f"{key}_status_change", _constant("unknown"), silent=True)
        yield Expected(f"{key}_problem", _constant("off"))
        for quantity, unit in _QUANTITIES.items():
            if quantity not in _is_shown_by_site(house, meter):
                whole = _at(house, _reading, _whole(house, meter, quantity))
                yield Expected(f"{key}_{quantity}", whole, unit, _METER_STEP)
            for phase in phases:
                part = _at(house, _reading, _phase(meter, quantity, phase))
                yield Expected(f"{key}_{quantity}_l{phase + 1}", part, unit, _METER_STEP)


def _is_shown_by_site(house: House, meter: Meter) -> set[str]:
    kind = meter.measurement_type
    if kind == PRODUCTION or (kind == TOTAL and not house.profile.measures(NET)):
        return {"active_power", "energy_delivered"}
    return {"active_power", "energy_delivered", "energy_received"} if kind in {NET, STORAGE} else set()


def _whole(house: House, meter: Meter, quantity: str) -> Value:
    # Between the lines of a split phase there are 240 V; three phases have 230 V each, and 690 V nowhere.
    share = house.profile.wired if quantity == "voltage" and house.profile.phase_mode == "three" else 1
    return lambda t: float(getattr(t.of(meter.measures).total, quantity)) / share


def _phase(meter: Meter, quantity: str, phase: int) -> Value:
    return lambda t: float(getattr(t.of(meter.measures).phases[phase], quantity))


def _inverters(house: House) -> Iterator[Expected]:
    for inverter in house.inverters:
        serial, peak = inverter.serial_number, (inverter.peak, inverter.peak)
        yield Expected(f"{serial}_power", _at(house, _report(serial), _inverter(serial)), "W", 1)
        yield Expected(f"{serial}_max_power", _constant(peak), "W", 1)
        yield Expected(f"{serial}_last_report", _last_report_range(_INVERTERS, _INVERTER_INTERVAL), "time")


def _batteries(house: House) -> Iterator[Expected]:
    battery = house.profile.battery
    if battery is None or battery.kind != "encharge":
        return
    for number in range(1, battery.units + 1):
        serial = f"4924{number:08d}"
        charge = _at(house, _report(serial), lambda t: _battery(t).state_of_charge)
        power = _at(house, _times_of_request(_POWER), lambda t: _battery(t).power / battery.units)
        yield Expected(f"{serial}_charge", charge, "%", 1)
        yield Expected(f"{serial}_power", power, "W", 0.001)
        # The house has no warmth in it; a cellar has between these.
        yield Expected(f"{serial}_temperature", _constant((10.0, 40.0)), "°C")
        yield Expected(f"{serial}_last_report", _last_report_range(_INVENTORY, _BATTERY_INTERVAL), "time")


def _battery(truth: Truth) -> BatteryState:
    if truth.battery is None:
        raise LookupError("the house has no battery")
    return truth.battery


def _inverter(serial_number: str) -> Value:
    return lambda t: t.inverters[serial_number]


def _sum_inverters(truth: Truth) -> float:
    return sum(truth.inverters.values())


def _at(
    house: House, when: Callable[[Moments], Iterable[float]], value: Value
) -> Callable[[Moments], tuple[float, float]]:
    """Read a true value at those times."""
    return lambda moments: _span(value(house.truth(moment)) for moment in when(moments))


def _reading(moments: Moments) -> Iterable[float]:
    return [moments.reading]


def _production(moments: Moments) -> Iterable[float]:
    return [moments.production]


def _report(serial_number: str) -> Callable[[Moments], Iterable[float]]:
    return lambda moments: [moments.reported[serial_number]]


def _times_of_request(path: str) -> Callable[[Moments], Iterable[float]]:
    return lambda moments: [int(moment) for moment in moments.request_times(path)]


def _last_report_range(path: str, interval: float) -> Callable[[Moments], tuple[float, float]]:
    """Return the range of the last report of a unit that reports at an interval, by the request's time."""
    return lambda moments: (min(moments.request_times(path)) - interval - 1, max(moments.request_times(path)))


def _constant(right: Right) -> Callable[[Moments], Right]:
    return lambda _: right


def _span(values: Iterable[float]) -> tuple[float, float]:
    found = list(values)
    return min(found), max(found)
