"""How long real gateways take for an answer: a quick one and a slow one, both of firmware 8.3.5169."""

from __future__ import annotations

#: By path, and by path with query where that matters: seconds of the quick and of the slow gateway.
_SECONDS = {
    "/ivp/meters/readings": (0.08, 0.32),
    "/ivp/meters/reports": (0.05, 0.28),
    "/ivp/meters": (0.07, 0.30),
    "/api/v1/production/inverters": (0.03, 0.31),
    "/api/v1/production": (0.04, 0.37),
    "/ivp/pdm/device_data": (0.05, 0.34),
    "/ivp/ensemble": (0.03, 0.28),
    "/admin/lib/tariff": (0.08, 0.32),
    "/info": (0.02, 0.29),
    "/production.json?details=1": (1.8, 5.4),
    "/production.json": (0.68, 5.0),
    "/production": (3.0, 11.1),
    "/inventory.json": (3.0, 6.2),
    "/home": (6.4, 9.3),
}
#: Pages that nobody measured, log-ins among them, take as long as the simplest one.
_UNMEASURED = _SECONDS["/info"]
GATEWAYS = {"quick-gateway": 0, "slow-gateway": 1}


def seconds(gateway: str, path: str) -> float:
    """How long a gateway of GATEWAYS takes to answer a path, which may have a query."""
    plain = path.partition("?")[0].rstrip("/")
    for known in (path, plain, plain.removesuffix(".json"), *_parents(plain)):
        if known in _SECONDS:
            return _SECONDS[known][GATEWAYS[gateway]]
    return _UNMEASURED[GATEWAYS[gateway]]


def _parents(path: str) -> list[str]:
    """Return the folders of /ivp pages, nearest first: one meter is read like all of them."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts) - 1, 2, -1)] if path.startswith("/ivp/") else []
