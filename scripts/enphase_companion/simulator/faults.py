"""Faults on demand: slow, missing, broken, wrong or rejected answers; and real gateways' response times."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from aiohttp import web

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
#: Paths without a measured time, such as log-ins, take as long as the simplest one.
_UNMEASURED = _SECONDS["/info"]
GATEWAYS = {"quick-gateway": 0, "slow-gateway": 1}


def latency(gateway: str, path: str) -> float:
    """Return the seconds that a gateway of GATEWAYS takes to answer a path, which may have a query."""
    plain = path.partition("?")[0].rstrip("/")
    for known in (path, plain, plain.removesuffix(".json"), *_parents(plain)):
        if known in _SECONDS:
            return _SECONDS[known][GATEWAYS[gateway]]
    return _UNMEASURED[GATEWAYS[gateway]]


def _parents(path: str) -> list[str]:
    """Return the folders of /ivp pages, nearest first: one meter is read like all of them."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts) - 1, 2, -1)] if path.startswith("/ivp/") else []


#: Descriptions of the faults by name; in brackets the further arguments of `Faults.set`.
FAULTS = {
    "slow": "answers late (seconds=5)",
    "silent": "never answers",
    "reset": "drops the connection",
    "status": "answers with an error page (status=503)",
    "html": "answers with an HTML page and status 200",
    "refuse": "answers 401 to every request",
    "redirect": "redirects to another address (location=https://localhost/)",
    "quick-gateway": "responds as slowly as a fast real gateway, path by path",
    "slow-gateway": "responds as slowly as a slow real gateway, path by path",
    "truncated": "sends half of the JSON",
    "zeros": "sends 0 for every measured value",
    "huge": "sends 10^30 or 10^300 for every measured value",
    "nan": "sends NaN, which is not valid JSON, for every measured value",
    "counters-fall": "multiplies the energy counters by a share (share=0.5)",
}

_ENERGY = ("actEnergyDlvd", "actEnergyRcvd", "whLifetime", "whDlvdCum", "whRcvdCum", "wattHoursLifetime")
_NAMED_NUMBERS = (
    "eid",
    "timestamp",
    "readingTime",
    "createdAt",
    "activeCount",
    "phaseCount",
    "lastReportDate",
)


@dataclass
class _Fault:
    name: str
    seconds: float
    status: int
    share: float
    location: str
    left: float  #: requests that it still affects


class Faults:
    """The active faults by path; None means every path."""

    def __init__(self) -> None:
        self._on: dict[str | None, list[_Fault]] = {}

    def set(
        self,
        name: str,
        path: str | None = None,
        *,
        seconds: float = 5.0,
        status: int = 503,
        share: float = 0.5,
        location: str = "https://localhost/",
        times: int | None = None,
    ) -> None:
        """Switch a fault of FAULTS on, for one path (without its query) or for all.

        With `times` it ends after that number of requests. Raise ValueError for an unknown name.
        """
        if name not in FAULTS:
            raise ValueError(f"unknown fault {name!r}: choose one of {', '.join(FAULTS)}")
        left = math.inf if times is None else times
        self._on.setdefault(path, []).append(_Fault(name, seconds, status, share, location, left))

    def clear(self) -> None:
        """Switch all faults off."""
        self._on.clear()

    async def before(self, request: web.Request) -> web.Response | None:
        """Wait, drop the connection, or return a faulty answer; None: no fault replaces the answer."""
        for fault in self._take_matching(request.path, _LATE):
            await _wait(fault, request.path_qs)
        if self._take_matching(request.path, ("reset",)) and request.transport is not None:
            request.transport.abort()
            return web.Response(status=500)
        for fault in self._take_matching(request.path, _PAGES):
            return _PAGES[fault.name](fault)
        return None

    def change(self, path: str, answer: Any) -> Any:
        """Return the answer (parsed JSON) with the faults of this path applied."""
        for fault in self._take_matching(path, _CHANGING):
            answer = _CHANGING[fault.name](fault, answer)
        return answer

    def truncates(self, path: str) -> bool:
        """Whether to send only half of an answer."""
        return bool(self._take_matching(path, ("truncated",)))

    def _take_matching(self, path: str, names: Collection[str]) -> list[_Fault]:
        """Return the faults among these names that apply to a request of this path now."""
        on = [*self._on.get(None, ()), *self._on.get(path, ())]
        met = [fault for fault in on if fault.name in names and fault.left > 0]
        for fault in met:
            fault.left -= 1
        return met


def set_to_zero(answer: Any) -> Any:
    """Return an answer (parsed JSON) with 0 for every measured value."""
    return _map_measured(answer, lambda value: type(value)(0))


def _map_measured(
    answer: Any, change: Callable[[float], float], only: tuple[str, ...] = (), key: str = ""
) -> Any:
    """Return an answer with all measured numbers changed, or those under `only` these names."""
    if isinstance(answer, dict):
        return {name: _map_measured(inner, change, only, name) for name, inner in answer.items()}
    if isinstance(answer, list):
        return [_map_measured(inner, change, only, key) for inner in answer]
    if isinstance(answer, bool) or not isinstance(answer, (int, float)):
        return answer
    return change(answer) if (key in only if only else key not in _NAMED_NUMBERS) else answer


async def _wait(fault: _Fault, path: str) -> None:
    if fault.name == "silent":
        await asyncio.Event().wait()
    await asyncio.sleep(fault.seconds if fault.name == "slow" else latency(fault.name, path))


def _page(status: int, text: str) -> web.Response:
    return web.Response(
        status=status,
        text=f"<!DOCTYPE html><html><body><h2>{text}</h2></body></html>\n",
        content_type="text/html",
    )


_LATE = ("slow", "silent", *GATEWAYS)
_PAGES: dict[str, Callable[[_Fault], web.Response]] = {
    "status": lambda fault: _page(fault.status, "Service error"),
    "html": lambda _: _page(200, "Please wait while the system starts"),
    "refuse": lambda _: _page(401, "Unauthorized"),
    "redirect": lambda fault: web.Response(status=302, headers={"Location": fault.location}),
}
_CHANGING: dict[str, Callable[[_Fault, Any], Any]] = {
    "zeros": lambda _, answer: set_to_zero(answer),
    "huge": lambda _, answer: _map_measured(
        answer, lambda value: 10**30 if isinstance(value, int) else 1e300
    ),
    "nan": lambda _, answer: _map_measured(answer, lambda _value: math.nan),
    "counters-fall": lambda fault, answer: _map_measured(
        answer, lambda value: type(value)(value * fault.share), _ENERGY
    ),
}
