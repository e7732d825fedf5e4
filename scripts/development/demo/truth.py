"""The expected value of each entity of a simulated gateway, from the house and not from the served answers.

Written from what the product promises (which sensors there are, their unique ids, their signs), not from the
integration's code, and importing nothing of it: so the two can disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from enphase_companion.simulator.house import House, Inverter
from enphase_companion.simulator.profiles import NET, PRODUCTION, STORAGE, TOTAL, Contact, Meter
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
    #: Of the first request: nothing was counted before.
    started: float


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
_DETAILS = "/ivp/pdm/device_data"
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
    site = list(_site(house))
    of_gateway = [
        *site,
        *_today(site),
        *_prices(house),
        *_meters(house),
        Expected("firmware", _constant(house.profile.firmware.lstrip("DR"))),
        Expected("token_expiry", _constant(token_expiry), "time"),
        Expected("certificate_expiry", _constant((certificate_expiry, certificate_expiry)), "time"),
    ]
    named = (replace(each, unique_id=f"{serial_number}_{each.unique_id}") for each in of_gateway)
    return [*named, *_inverters(house), *_batteries(house), *_around_the_batteries(house)]


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
        yield _home_energy(house)
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
        yield from _unmetered_batteries(house)


#: Wh; batteries without a meter are read each minute, the meters more often.
_ESTIMATE_STEP = 100


def _unmetered_batteries(house: House) -> Iterator[Expected]:
    """Yield the power of batteries without a meter, and their energies since the first request."""
    if house.profile.measures(STORAGE):
        return
    power = _at(house, _times_of_request(_POWER), lambda t: t.storage.total.active_power)
    discharged = _at(house, _reading, lambda t: t.storage.total.energy_delivered)
    charged = _at(house, _reading, lambda t: t.storage.total.energy_received)
    yield Expected("battery_power", power, "W", 1)
    yield Expected("battery_energy_discharged", _since_start(discharged), "Wh", _ESTIMATE_STEP)
    yield Expected("battery_energy_charged", _since_start(charged), "Wh", _ESTIMATE_STEP)


def _home_energy(house: House) -> Expected:
    """Return the energy of home, which is estimated where batteries have no meter."""
    measures = house.profile.measures
    if measures(TOTAL) or measures(STORAGE) or not house.profile.battery:
        counted = _at(house, _reading, lambda t: t.total_consumption.total.energy_delivered)
        return Expected("home_energy", counted, "Wh", _METER_STEP)
    return Expected("home_energy", _estimated_home_energy(house), "Wh", _ESTIMATE_STEP)


def _estimated_home_energy(house: House) -> Callable[[Moments], tuple[float, float]]:
    """Return production and grid by their counters, and what the batteries gave since the first request."""

    def net(moment: float, *kinds: str) -> float:
        totals = [house.truth(moment).of(kind).total for kind in kinds]
        return sum(each.energy_delivered - each.energy_received for each in totals)

    def right(moments: Moments) -> tuple[float, float]:
        batteries = net(moments.reading, STORAGE) - net(moments.started, STORAGE)
        energy = net(moments.reading, PRODUCTION, NET) + batteries
        return energy, energy

    return right


def _today(site: Iterable[Expected]) -> Iterator[Expected]:
    """Yield the energies since local midnight, or since the set-up, whichever was later."""
    for each in site:
        if "_energy" in each.unique_id and each.unique_id != "battery_available_energy":
            yield replace(each, unique_id=f"{each.unique_id}_today", right=_since_start(each.right))


def _since_start(right: Callable[[Moments], Right]) -> Callable[[Moments], tuple[float, float]]:
    """Return at most what was counted since the first request; a midnight since then makes it less."""

    def span(moments: Moments) -> tuple[float, float]:
        # The first sum of the inverters may be as old as their reports.
        started = replace(
            moments, reading=moments.started - 1, production=moments.started - _INVERTER_INTERVAL
        )
        return 0.0, float(right(moments)[1]) - float(right(started)[0])

    return span


def _prices(house: House) -> Iterator[Expected]:
    """Yield the prices; by time of use, they are between the lowest and the highest."""
    if house.profile.time_of_use:
        currency, imported, exported = "USD", (0.32, 0.63), (0.04, 0.2)
    else:
        currency, imported, exported = "EUR", (0.25, 0.25), (0.08, 0.08)
    yield Expected("import_price", _constant(imported), f"{currency}/kWh")
    yield Expected("export_price", _constant(exported), f"{currency}/kWh")


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


#: From this firmware on, there are details of so many microinverters at most.
_DETAILS_SINCE, _MOST_DETAILS = (8,), 50


def _inverters(house: House) -> Iterator[Expected]:
    has_details = house.profile.version >= _DETAILS_SINCE
    # The list is not requested if the details have all microinverters.
    is_complete = has_details and len(house.inverters) < _MOST_DETAILS
    reports = _last_report_range(_DETAILS if is_complete else _INVERTERS, _INVERTER_INTERVAL)
    for number, inverter in enumerate(house.inverters):
        serial, peak = inverter.serial_number, (inverter.peak, inverter.peak)
        yield Expected(f"{serial}_power", _at(house, _report(serial), _inverter(serial)), "W", 1)
        yield Expected(f"{serial}_max_power", _constant(peak), "W", 1)
        yield Expected(f"{serial}_last_report", reports, "time")
        yield Expected(f"{serial}_reporting", _constant("on"))
        if has_details and number < _MOST_DETAILS:
            yield from _details(house, inverter)


def _details(house: House, inverter: Inverter) -> Iterator[Expected]:
    serial, watts = inverter.serial_number, _inverter(inverter.serial_number)

    def reported(key: str, unit: str, value: Value, step: float) -> Expected:
        return Expected(f"{serial}_{key}", _at(house, _report(serial), value), unit, step)

    def phase(quantity: str) -> Value:
        return lambda t: float(getattr(t.production.phases[inverter.phase], quantity))

    def lifetime(truth: Truth) -> float:
        return phase("energy_delivered")(truth) * inverter.share

    def today(moments: Moments) -> tuple[float, float]:
        at = moments.reported[serial]
        made = lifetime(house.truth(at)) - lifetime(house.truth(house.midnight(at)))
        return made, made

    def dc_current(moments: Moments) -> tuple[float, float]:
        power = watts(house.truth(moments.reported[serial]))
        return power / _DC_VOLTS[1], power / 0.9 / _DC_VOLTS[0]

    yield reported("lifetime_energy", "Wh", lifetime, 1)
    yield Expected(f"{serial}_energy_today", today, "Wh", 1)
    # The house has neither panels' voltages nor warmth in it.
    yield Expected(f"{serial}_dc_voltage", _constant(_DC_VOLTS), "V")
    yield Expected(f"{serial}_dc_current", dc_current, "A", 0.01)
    yield reported("ac_voltage", "V", phase("voltage"), _METER_STEP)
    yield reported("ac_current", "A", lambda t: watts(t) / phase("voltage")(t), 0.01)
    yield reported("frequency", "Hz", phase("frequency"), _METER_STEP)
    yield Expected(f"{serial}_temperature", _constant((-10.0, 80.0)), "°C")


#: V of a panel.
_DC_VOLTS = (20.0, 60.0)


def _batteries(house: House) -> Iterator[Expected]:
    battery = house.profile.battery
    if battery is None or battery.kind != "encharge":
        return
    for number in range(1, battery.units + 1):
        serial = f"4924{number:08d}"
        charge = _at(house, _report(serial), lambda t: _battery(t).state_of_charge)
        requested = _times_of_request(_POWER)
        power = _at(house, requested, lambda t: _battery(t).power / battery.units)
        yield Expected(f"{serial}_charge", charge, "%", 1)
        yield Expected(f"{serial}_power", power, "W", 0.001)
        yield Expected(f"{serial}_apparent_power", power, "VA", 0.001)
        later = _at(house, requested, lambda t: _battery(t).state_of_charge)
        yield Expected(f"{serial}_power_charge", later, "%", 1)
        capacity = (battery.unit_capacity, battery.unit_capacity)
        yield Expected(f"{serial}_capacity", _constant(capacity), "Wh", 1)
        # The house has no warmth in it; a cellar has between these.
        yield Expected(f"{serial}_temperature", _constant((10.0, 40.0)), "°C")
        yield Expected(f"{serial}_max_cell_temperature", _constant((10.0, 45.0)), "°C")
        yield Expected(f"{serial}_grid_state", _constant("on_grid"))
        yield Expected(f"{serial}_bmu_firmware", _constant("3.8.63"))
        yield Expected(f"{serial}_led_status", _constant((12.0, 14.0)))
        yield Expected(f"{serial}_dc_switch", _constant("on"))
        yield Expected(f"{serial}_sleep", _constant("off"))
        yield from _reports(serial, has_signal=True)


def _reports(serial: str, *, has_signal: bool = False) -> Iterator[Expected]:
    """Yield what every device that reports each minute has."""
    yield Expected(f"{serial}_last_report", _last_report_range(_INVENTORY, _BATTERY_INTERVAL), "time")
    yield Expected(f"{serial}_communicating", _constant("on"))
    for band in ("sub", "2_4") if has_signal else ():
        yield Expected(f"{serial}_comm_level_{band}_ghz", _constant((0.0, 5.0)))


_CONTROLLER, _COLLAR, _COMBINER = "482500000001", "482520000001", "482530000001"


def _around_the_batteries(house: House) -> Iterator[Expected]:
    """Yield the entities of a System Controller and its contacts, or of a collar and a combiner."""
    profile = house.profile
    if profile.has_controller:
        yield from _reports(_CONTROLLER, has_signal=True)
        # 72 °F.
        yield Expected(f"{_CONTROLLER}_temperature", _constant((22.2, 22.3)), "°C", 0.1)
        yield Expected(f"{_CONTROLLER}_relay", _constant("closed"))
        yield Expected(f"{_CONTROLLER}_requested_relay", _constant("closed"))
        yield Expected(f"{_CONTROLLER}_grid_mode", _constant("on_grid"))
        for contact in profile.contacts:
            yield from _dry_contact(f"{_CONTROLLER}_{contact.id}", contact)
        if profile.generator:
            yield Expected(f"{_CONTROLLER}_generator_state", _constant("open"))
            yield Expected(f"{_CONTROLLER}_generator_connected", _constant("off"))
            yield Expected(f"{_CONTROLLER}_generator_start_level", _constant((30.0, 30.0)), "%", 1)
            yield Expected(f"{_CONTROLLER}_generator_stop_level", _constant((80.0, 80.0)), "%", 1)
    elif profile.battery is not None and profile.battery.collar:
        yield from _reports(_COLLAR)
        yield Expected(f"{_COLLAR}_temperature", _constant((42.0, 42.0)), "°C", 1)
        yield Expected(f"{_COLLAR}_admin_state", _constant("on_grid"))
        yield Expected(f"{_COLLAR}_grid_state", _constant("on_grid"))
        yield Expected(f"{_COLLAR}_control_error", _constant((0.0, 0.0)))
        yield Expected(f"{_COLLAR}_relay", _constant("on"))
        yield from _reports(_COMBINER)
        yield Expected(f"{_COMBINER}_temperature", _constant((31.0, 31.0)), "°C", 1)


def _dry_contact(prefix: str, contact: Contact) -> Iterator[Expected]:
    is_used = bool(contact.load_name)
    yield Expected(f"{prefix}_closed", _constant("on" if contact.normally_closed else "off"))
    yield Expected(f"{prefix}_mode", _constant("manual"))
    yield Expected(f"{prefix}_type", _constant("load" if is_used else "none"))
    yield Expected(f"{prefix}_grid_action", _constant("apply" if is_used else "none"))
    yield Expected(f"{prefix}_micro_grid_action", _constant("shed" if is_used else "none"))
    yield Expected(f"{prefix}_generator_action", _constant("shed" if is_used else "none"))
    yield Expected(f"{prefix}_low_level", _constant((30.0, 30.0)), "%", 1)
    yield Expected(f"{prefix}_high_level", _constant((70.0, 70.0)), "%", 1)


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
