"""The simulated IQ Gateway: its routes, who may use them, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from . import answers
from .clock import Clock
from .entrez import Entrez
from .faults import Faults
from .house import House
from .requests import Request, note
from .sessions import LEVELS, Sessions, TokenRefused

_PUBLIC = ("/info", "/info.xml")
_VALID = "<!DOCTYPE html><h2>Valid token.</h2>\n"
_UNAUTHORIZED = "<!DOCTYPE html><html><head><title>401</title></head><body><h1>Unauthorized</h1></body></html>\n"
_NOT_FOUND = "<!DOCTYPE html><html><head><title>404</title></head><body><h1>Not Found</h1></body></html>\n"


class Gateway:
    """Answers requests out of a house."""

    def __init__(self, house: House, clock: Clock, serial_number: str, entrez: Entrez) -> None:
        self._house = house
        self._clock = clock
        self._serial_number = serial_number
        self._entrez = entrez
        self.sessions = Sessions(serial_number, entrez.public_key)
        self.faults = Faults()
        self.requests: list[Request] = []
        self._json: dict[str, Callable[[], Any]] = {
            "/ivp/meters": lambda: answers.meters(house),
            "/ivp/meters/readings": lambda: answers.readings(house, self._now()),
        }

    def _now(self) -> int:
        """The whole second that an answer is about."""
        return int(self._clock.time())

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers one request to the gateway."""
        note(self.requests, request, self._clock.time(), session_cookie="sessionId")
        fault = await self.faults.before(request)
        if fault is not None:
            return fault
        path = request.path.rstrip("/")
        if path in _PUBLIC:
            return web.Response(text=self._info(), content_type="text/xml")
        if path == "/auth/check_jwt":
            return self._check_jwt(request)
        level = self._level(request)
        if level is None:
            return _page(401, _UNAUTHORIZED)
        if path not in self._json:
            return _page(404, _NOT_FOUND)
        answer = json.dumps(self.faults.change(path, self._json[path]()))
        if self.faults.truncates(path):
            answer = answer[: len(answer) // 2]
        return web.Response(text=answer, content_type="application/json")

    def _check_jwt(self, request: web.Request) -> web.Response:
        try:
            session_id = self.sessions.open(_bearer(request))
        except TokenRefused:
            return _page(401, _UNAUTHORIZED)
        answer = _page(200, _VALID)
        answer.set_cookie("sessionId", session_id, httponly=True, secure=True)
        return answer

    def _level(self, request: web.Request) -> int | None:
        """What the sender may ask, or None for one who showed neither a good token nor a live session."""
        session = self.sessions.find(request.cookies.get("sessionId", ""))
        if session is None:
            try:
                session = self.sessions.check(_bearer(request))
            except TokenRefused:
                return None
        return LEVELS[session.role]

    def _info(self) -> str:
        profile = self._house.profile
        return (
            "<?xml version='1.0' encoding='UTF-8'?>\n<envoy_info>\n"
            f"  <time>{self._now()}</time>\n  <device>\n    <sn>{self._serial_number}</sn>\n"
            f"    <pn>800-00654-r08</pn>\n    <software>{profile.firmware}</software>\n    <euaid>4c8675</euaid>\n"
            f"    <seqnum>0</seqnum>\n    <apiver>1</apiver>\n    <imeter>{str(profile.metered).lower()}</imeter>\n"
            "  </device>\n  <web-tokens>true</web-tokens>\n</envoy_info>\n"
        )


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _page(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text, content_type="text/html")
