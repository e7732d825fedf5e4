"""The simulated gateway of the demo: the house's place, the expected entities, the times of the requests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509

from enphase_companion.simulator import Simulator

from .entities import NOTHING
from .truth import Expected, Moments, get_expected_entities

#: Real seconds within which an answer is created, and within which it is in Home Assistant's states.
_ANSWERED, _ARRIVED = 0.1, 5.0
_TOKEN_LIFETIME = timedelta(days=365).total_seconds()


def environment(sim: Simulator) -> dict[str, str]:
    """Return the environment variables for Home Assistant and the integration."""
    hours = _hours_from_utc(sim)
    return {
        "DEMO_NAME": "Simulated house",
        "DEMO_LATITUDE": str(sim.house.latitude),
        "DEMO_LONGITUDE": str(sim.house.longitude),
        # These names have the opposite sign.
        "DEMO_TIME_ZONE": f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT",
    }


def zone(sim: Simulator) -> timezone:
    """Return the house's time zone."""
    return timezone(timedelta(hours=_hours_from_utc(sim)))


def _hours_from_utc(sim: Simulator) -> int:
    return round(sim.house.longitude / 15)


def list_expected_entities(sim: Simulator) -> list[Expected]:
    """Return the entities that this gateway should have once it is set up, with the expected states."""
    given = [request.time for request in sim.entrez_requests if request.path.startswith("/entrez_tokens")]
    certificate = x509.load_pem_x509_certificate(sim.certificate_pem.encode())
    return get_expected_entities(
        sim.house,
        sim.serial_number,
        token_expiry=(min(given) + _TOKEN_LIFETIME, max(given) + _TOKEN_LIFETIME + _ANSWERED),
        certificate_expiry=certificate.not_valid_after_utc.timestamp(),
    )


def get_moments(
    sim: Simulator,
    entities: Mapping[str, str],
    states: Mapping[str, Mapping[str, Any]],
    diagnostics: Mapping[str, Any],
) -> Moments:
    """Return the times at which the values of these states were measured, or requested if that is unknown."""
    now = sim.clock.time()
    requests = list(sim.requests)

    def request_times(path: str) -> list[float]:
        times = [request.time for request in requests if request.path.partition("?")[0] == path][-2:]
        times = times or [now]
        if len(times) > 1 and now - times[-1] > _ARRIVED * sim.clock.speed:
            del times[0]
        return [moment for time in times for moment in (time, time + _ANSWERED * sim.clock.speed)]

    def get_report_time(unique_id: str, path: str) -> float:
        state = states.get(entities.get(unique_id, ""), {}).get("state", "unknown")
        return request_times(path)[-1] if state in NOTHING else datetime.fromisoformat(state).timestamp()

    inverters = {inverter.serial_number: "/api/v1/production/inverters" for inverter in sim.house.inverters}
    ends = "_last_report"
    units = [unique_id.removesuffix(ends) for unique_id in entities if unique_id.endswith(ends)]
    measured_at = ((diagnostics["data"]["production"] or {}).get("inverters") or {}).get("measured_at")
    return Moments(
        reading=get_report_time(f"{sim.serial_number}_last_reading", "/ivp/meters/readings"),
        production=datetime.fromisoformat(measured_at).timestamp() if measured_at else now,
        reported={
            unit: get_report_time(f"{unit}{ends}", inverters.get(unit, "/ivp/ensemble/inventory"))
            for unit in units
        },
        request_times=request_times,
        started=requests[0].time if requests else now,
    )
