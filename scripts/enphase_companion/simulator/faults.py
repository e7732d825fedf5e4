"""Bad days on demand: a gateway that is slow, silent, broken, lying, or lets nobody in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from aiohttp import web

_BEFORE = ("slow", "silent", "reset", "status", "html", "refuse")
_AFTER = ("truncated", "zeros", "counters-fall")
NAMES = _BEFORE + _AFTER

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


@dataclass(frozen=True)
class _Fault:
    name: str
    seconds: float
    status: int
    share: float


class Faults:
    """The faults that are on, by path; None stands for every path."""

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
    ) -> None:
        """Switch a fault on, for one path (without its query) or for all.

        slow (seconds=) answers late; silent never answers; reset drops the connection; status (status=)
        answers with an error page; html gives a page with status 200; refuse answers 401 to everybody;
        truncated gives half of the JSON; zeros gives 0 for every measured value; counters-fall (share=) gives
        a share of the energy counters. Raises ValueError for any other name.
        """
        if name not in NAMES:
            raise ValueError(f"{name!r} is no fault; there are {', '.join(NAMES)}")
        self._on.setdefault(path, []).append(_Fault(name, seconds, status, share))

    def clear(self) -> None:
        """Switch all faults off."""
        self._on.clear()

    async def before(self, request: web.Request) -> web.Response | None:
        """Wait, drop the connection, or give an answer in place of the true one; None: go on."""
        for fault in self._for(request.path):
            if fault.name == "slow":
                await asyncio.sleep(fault.seconds)
            elif fault.name == "silent":
                await asyncio.Event().wait()
            elif fault.name == "reset":
                if request.transport is not None:
                    request.transport.abort()
                return web.Response(status=500)
            elif fault.name == "status":
                return _page(fault.status, "Service error")
            elif fault.name == "html":
                return _page(200, "Please wait while the system starts")
            elif fault.name == "refuse":
                return _page(401, "Unauthorized")
        return None

    def change(self, path: str, answer: Any) -> Any:
        """The answer (parsed JSON) as the faults of this path would have it."""
        for fault in self._for(path):
            if fault.name == "zeros":
                answer = _scaled(answer, 0.0, None)
            elif fault.name == "counters-fall":
                answer = _scaled(answer, fault.share, _ENERGY)
        return answer

    def truncates(self, path: str) -> bool:
        """Whether only half of an answer goes out."""
        return any(fault.name == "truncated" for fault in self._for(path))

    def _for(self, path: str) -> list[_Fault]:
        return [*self._on.get(None, ()), *self._on.get(path, ())]


def _scaled(value: Any, factor: float, only: tuple[str, ...] | None, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _scaled(inner, factor, only, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_scaled(inner, factor, only, key) for inner in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    meant = key in only if only is not None else key not in _NAMED_NUMBERS
    return type(value)(value * factor) if meant else value


def _page(status: int, text: str) -> web.Response:
    return web.Response(
        status=status,
        text=f"<!DOCTYPE html><html><body><h2>{text}</h2></body></html>\n",
        content_type="text/html",
    )
