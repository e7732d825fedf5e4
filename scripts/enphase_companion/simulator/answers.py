"""The meters' answers: the house in the JSON shapes of the gateway's meter endpoints."""

from __future__ import annotations

from typing import Any

from .house import Electricity, House
from .profiles import Meter

#: Every meter answers with this many channels, however many phases are wired.
CHANNELS = 3
#: The first channel's eid is the meter's with this added (as on every recorded gateway).
_CHANNEL_EID = 1778385169 - 704643328


def meters(house: House) -> list[dict[str, Any]]:
    """/ivp/meters"""
    profile = house.profile
    return [
        {
            "eid": meter.eid,
            "state": "enabled" if meter.enabled else "disabled",
            "measurementType": meter.measurement_type,
            "phaseMode": profile.phase_mode,
            "phaseCount": profile.phase_count or profile.wired,
            "meteringStatus": "normal",
            "statusFlags": [],
        }
        for meter in profile.meters
        if meter.listed
    ]


def readings(house: House, at: int) -> list[dict[str, Any]]:
    """/ivp/meters/readings at `at`"""
    return [_reading(house, meter, at) for meter in house.profile.meters]


def _reading(house: House, meter: Meter, at: int) -> dict[str, Any]:
    if meter.enabled and meter.listed:
        measured = house.truth(at).of(meter.measurement_type)
        total, phases = _values(measured.total), [_values(phase) for phase in measured.phases]
    else:
        total, phases = _nothing(), []
    eid = meter.eid + _CHANNEL_EID
    channels = [
        {"eid": eid + channel, "timestamp": at, **(phases[channel] if channel < len(phases) else _nothing())}
        for channel in range(CHANNELS)
    ]
    return {"eid": meter.eid, "timestamp": at, **total, "channels": channels}


def _values(electricity: Electricity) -> dict[str, float]:
    values = {
        "actEnergyDlvd": electricity.energy_delivered,
        "actEnergyRcvd": electricity.energy_received,
        "apparentEnergy": electricity.energy_apparent,
        "reactEnergyLagg": electricity.energy_lagging,
        "reactEnergyLead": electricity.energy_leading,
        "instantaneousDemand": electricity.active_power,
        "activePower": electricity.active_power,
        "apparentPower": electricity.apparent_power,
        "reactivePower": electricity.reactive_power,
        "pwrFactor": electricity.power_factor,
        "voltage": electricity.voltage,
        "current": electricity.current,
        "freq": electricity.frequency,
    }
    return {name: round(value, 3) for name, value in values.items()}


def _nothing() -> dict[str, float]:
    return dict.fromkeys(_values(_NOTHING), 0.0)


_NOTHING = Electricity(*(0.0,) * 12)
