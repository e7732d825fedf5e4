"""Answers of /ivp/meters and /stream/meter: the house as its meters report it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from . import counter_wraps
from .house import House
from .profiles import NET, PRODUCTION, STORAGE, TOTAL, Meter, Reports
from .truth import NOTHING, Electricity, Measurement

#: Every meter answers with this many channels, however many phases are wired.
CHANNELS = 3
#: A meter's first channel has the meter's eid with this added (so on every recorded gateway).
_CHANNEL_EID = 1778385169 - 704643328
_QUANTITIES = {
    "actEnergyDlvd": "energy_delivered",
    "actEnergyRcvd": "energy_received",
    "apparentEnergy": "energy_apparent",
    "reactEnergyLagg": "energy_lagging",
    "reactEnergyLead": "energy_leading",
    "instantaneousDemand": "active_power",
    "activePower": "active_power",
    "apparentPower": "apparent_power",
    "reactivePower": "reactive_power",
    "pwrFactor": "power_factor",
    "voltage": "voltage",
    "current": "current",
    "freq": "frequency",
}
_REPORTED = {
    "currW": "active_power",
    "actPower": "active_power",
    "apprntPwr": "apparent_power",
    "reactPwr": "reactive_power",
    "whDlvdCum": "energy_delivered",
    "whRcvdCum": "energy_received",
    "varhLagCum": "energy_lagging",
    "varhLeadCum": "energy_leading",
    "vahCum": "energy_apparent",
    "rmsVoltage": "voltage",
    "rmsCurrent": "current",
    "pwrFactor": "power_factor",
    "freqHz": "frequency",
}
_STREAMED = {
    "p": "active_power",
    "q": "reactive_power",
    "s": "apparent_power",
    "v": "voltage",
    "i": "current",
    "pf": "power_factor",
    "f": "frequency",
}


def meters(house: House) -> list[dict[str, Any]]:
    """Return /ivp/meters."""
    profile = house.profile
    return [
        {
            "eid": meter.eid,
            "state": "enabled" if meter.enabled else "disabled",
            "measurementType": meter.measurement_type,
            "phaseMode": profile.phase_mode,
            "phaseCount": profile.phase_count,
            "meteringStatus": "normal",
            "statusFlags": [],
        }
        for meter in profile.meters
        if meter.listed
    ]


def readings(house: House, at: int) -> list[dict[str, Any]]:
    """Return /ivp/meters/readings at `at` (epoch seconds)."""
    return [_reading(house, meter, at) for meter in house.profile.meters]


def reports(house: House, at: int) -> list[dict[str, Any]]:
    """Return /ivp/meters/reports: metered values and those derived from them."""
    return [
        _report(_subtract_exports(house, measurement_type, at), measurement_type, at)
        for measurement_type in reported_types(house)
    ]


def production_report(house: House, at: int) -> dict[str, Any] | None:
    """Return /ivp/meters/reports/production: one report, if production is metered."""
    return next((report for report in reports(house, at) if report["reportType"] == PRODUCTION), None)


def consumption_reports(house: House, at: int) -> list[dict[str, Any]]:
    """Return /ivp/meters/reports/consumption: both, net and total."""
    return [report for report in reports(house, at) if report["reportType"] != PRODUCTION]


def reported_types(house: House) -> list[str]:
    """Return the measurement types of these meters: with a consumption meter, both net and total."""
    profile = house.profile
    consumption = profile.measures(NET) or profile.measures(TOTAL)
    return [PRODUCTION] * profile.measures(PRODUCTION) + [NET, TOTAL] * consumption


def get_stream_event(house: House, at: int) -> dict[str, Any]:
    """Return one event of /stream/meter."""
    names = ("ph-a", "ph-b", "ph-c")
    event = {}
    for measurement_type in (PRODUCTION, NET, TOTAL):
        measured = measurement_type in reported_types(house)
        phases = house.truth(at).of(measurement_type).phases if measured else ()
        event[measurement_type] = {
            name: _rename_keys(phases[phase] if phase < len(phases) else NOTHING, _STREAMED)
            for phase, name in enumerate(names)
        }
    return event


def _reading(house: House, meter: Meter, at: int) -> dict[str, Any]:
    quirks = house.profile.quirks
    total, channels = _get_channels(house, meter, at)
    values = [_rename_keys(seen, _QUANTITIES) for seen in (total, *channels)]
    if meter.enabled and "power-factors-added" in quirks:
        values[0]["pwrFactor"] = round(sum(channel["pwrFactor"] for channel in values[1:]), 3)
    if meter.enabled and "no-apparent-energy" in quirks:
        for value in values:
            value["apparentEnergy"] = 0.013
    stamp = 0 if meter.reports is Reports.NEVER else at
    first = meter.eid + _CHANNEL_EID
    return {
        "eid": meter.eid,
        "timestamp": stamp,
        **values[0],
        "channels": [
            {"eid": first + number, "timestamp": stamp, **channel}
            for number, channel in enumerate(values[1:])
        ],
    }


def _get_channels(house: House, meter: Meter, at: int) -> tuple[Electricity, list[Electricity]]:
    """Return the true values of a meter in total and on each channel."""
    if meter.reports is Reports.NOISE:
        phases = [house.noise(phase, at, connected=True) for phase in range(CHANNELS)]
        return Measurement.of(phases).total, phases
    if meter.reports is not Reports.MEASURED:
        return NOTHING, [NOTHING] * CHANNELS
    measured = counter_wraps.get_meter_values(house, meter.measures, at)
    if meter.measurement_type == STORAGE and _phase_lost(house, at):
        # 8.3.6087: one phase all zero and the total equal to the other (pyenphase #478).
        return measured.phases[1], [NOTHING, measured.phases[1], NOTHING]
    unwired = [_get_noise(house, phase, at) for phase in range(len(measured.phases), CHANNELS)]
    return measured.total, [*measured.phases, *unwired]


def _get_noise(house: House, phase: int, at: int) -> Electricity:
    """Return the values of an unconnected channel."""
    if phase == CHANNELS - 1 and "third-channel-mirrors" in house.profile.quirks:
        return counter_wraps.get_meter_values(house, STORAGE, at).phases[-1]
    # A split-phase gateway has no third phase; others pick up a little noise on what is not wired.
    return NOTHING if house.profile.phase_mode == "split" else house.noise(phase, at, connected=False)


def _phase_lost(house: House, at: int) -> bool:
    return "storage-loses-phase" in house.profile.quirks and at // 60 % 5 == 0


def _subtract_exports(house: House, measurement_type: str, at: int) -> Measurement:
    """Return the parts of a report; firmware 8.3.5169 subtracts exports from imports there."""
    measured = counter_wraps.get_meter_values(house, measurement_type, at)
    if measurement_type != NET or "reports-netted" not in house.profile.quirks:
        return measured
    total, *phases = (
        replace(each, energy_delivered=each.energy_delivered - each.energy_received, energy_received=0.0)
        for each in (measured.total, *measured.phases)
    )
    return Measurement(total, tuple(phases))


def _report(measured: Measurement, measurement_type: str, at: int) -> dict[str, Any]:
    return {
        "createdAt": at,
        "reportType": measurement_type,
        "cumulative": _rename_keys(measured.total, _REPORTED),
        "lines": [_rename_keys(phase, _REPORTED) for phase in measured.phases],
    }


def _rename_keys(electricity: Electricity, names: dict[str, str]) -> dict[str, float]:
    return {name: round(getattr(electricity, quantity), 3) for name, quantity in names.items()}
