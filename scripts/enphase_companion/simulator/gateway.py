"""The simulated IQ Gateway: access control and responses."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Protocol

from aiohttp import web

from .entrez import Entrez
from .faults import Faults
from .house import Clock
from .server import Request, note
from .sessions import LEVELS, Sessions, TokenRefusedError

#: Paths for installers only (7.6.175 and later reject owners); all others are open to owners.
_INSTALLER_ONLY = (
    "/stream/", "/installer/", "/ivp/peb/", "/ivp/tpm/", "/ivp/meters/cts/", "/ivp/mod/",
    "/ivp/pdm/production/",
)  # fmt: skip
#: Seconds between two checks whether a silence is over.
_LOOK_AGAIN = 0.1
_VALID = "<!DOCTYPE html><h2>Valid token.</h2>\n"


class Answers(Protocol):
    """The source of the gateway's answers."""

    serial_number: str

    def info(self) -> str:
        """Return the text of /info."""

    def get(self, path: str, query: str) -> Any:
        """Return the JSON of a path, or bytes of XML; None: no such path.

        Raise PermissionError if the role is too low.
        """

    def command(self, method: str, path: str, body: Any) -> Any:
        """Return the JSON answer of a POST, PUT or DELETE; None: no such path.

        Raise ValueError for a body that the gateway rejects.
        """

    @property
    def only_obeys_installers(self) -> bool:
        """Whether an owner's commands are rejected."""

    def restart(self) -> None:
        """Apply a restart to the state of the answers."""

    def silent(self) -> bool:
        """Whether the gateway is silent now."""


class Gateway:
    """The web handler of the gateway."""

    def __init__(self, answers: Answers, clock: Clock, entrez: Entrez) -> None:
        self._answers = answers
        self._clock = clock
        self._entrez = entrez
        self.sessions = Sessions(answers.serial_number, entrez.public_key)
        self.faults = Faults()
        self.requests: list[Request] = []
        #: Real seconds from each request to its answer, all together.
        self.busy_seconds = 0.0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        note(self.requests, request, self._clock.time(), session_cookie="sessionId")
        begun = asyncio.get_running_loop().time()
        try:
            return await self._handle(request, request.path.rstrip("/"))
        finally:
            self.busy_seconds += asyncio.get_running_loop().time() - begun

    def restart(self) -> None:
        """End every session and apply the other effects of a restart."""
        self.sessions.end_all()
        self._answers.restart()

    async def _handle(self, request: web.Request, path: str) -> web.StreamResponse:
        while self._answers.silent():  # noqa: ASYNC110 - the house's clock has no event to wait for
            await asyncio.sleep(_LOOK_AGAIN)
        early = await self.faults.before(request)
        if early is None:
            early = await self._answer_anyone(request, path)
        return await self._answer_authorized(request, path) if early is None else early

    async def _answer_anyone(self, request: web.Request, path: str) -> web.Response | None:
        if path in ("/info", "/info.xml"):
            return web.Response(text=self._answers.info(), content_type="text/xml")
        if path == "/auth/check_jwt":
            return self._check_jwt(request)
        if path == "/auth/get_jwt" and request.method == "POST":
            return await self._get_jwt(request)
        return None

    async def _answer_authorized(self, request: web.Request, path: str) -> web.StreamResponse:
        required = _required_level(path)
        if request.method != "GET" and self._answers.only_obeys_installers:
            required = LEVELS["installer"]
        if self._level(request) < required:
            return _page(401, "Unauthorized")
        if request.method in ("POST", "PUT", "DELETE"):
            return await self._carry_out(request, path)
        if request.method != "GET":
            return _page(405, "Method Not Allowed")
        if path == "/stream/meter":
            return await self._stream(request)
        try:
            return self._answer(path, self._answers.get(path, request.query_string))
        except PermissionError:
            return _page(401, "Unauthorized")

    async def _carry_out(self, request: web.Request, path: str) -> web.Response:
        body = await _body(request)
        try:
            answer = self._answers.command(request.method, path, body)
        except ValueError:
            return _page(400, "Bad Request")
        return self._answer(path, answer)

    def _answer(self, path: str, content: Any) -> web.Response:
        if content is None:
            return _page(404, "Not Found")
        if isinstance(content, bytes):
            return web.Response(body=content, content_type="text/xml")
        text = json.dumps(self.faults.change(path, content))
        if self.faults.truncates(path):
            text = text[: len(text) // 2]
        return web.Response(text=text, content_type="application/json")

    def _check_jwt(self, request: web.Request) -> web.Response:
        try:
            session_id = self.sessions.open(_bearer(request))
        except TokenRefusedError:
            return _page(401, "Unauthorized")
        answer = web.Response(text=_VALID, content_type="text/html")
        answer.set_cookie("sessionId", session_id, httponly=True, secure=True)
        return answer

    async def _get_jwt(self, request: web.Request) -> web.Response:
        """Exchange the code at Entrez and return its answer."""
        body = await _body(request)
        if not isinstance(body, dict):
            return _page(400, "Bad Request")
        return web.json_response(self._entrez.redeem(str(body.get("code")), str(body.get("code_verifier"))))

    def _level(self, request: web.Request) -> int:
        """Return the role of the sender; 0 without a live session or a valid token."""
        session = self.sessions.find(request.cookies.get("sessionId", ""))
        if session is None:
            try:
                session = self.sessions.check(_bearer(request))
            except TokenRefusedError:
                return 0
        return LEVELS[session.role]

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """One event a second, until the listener leaves."""
        if self._answers.get("/stream/meter", "") is None:
            return _page(404, "Not Found")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while True:
            event = self.faults.change("/stream/meter", self._answers.get("/stream/meter", ""))
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
            await asyncio.sleep(1)


def _required_level(path: str) -> int:
    return LEVELS["installer" if f"{path}/".startswith(_INSTALLER_ONLY) else "owner"]


async def _body(request: web.Request) -> Any:
    """Return the JSON body, whatever the content type, or None."""
    try:
        return json.loads(await request.text())
    except ValueError:
        return None


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _page(status: int, title: str) -> web.Response:
    return web.Response(
        status=status,
        text=f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{status}</body></html>\n",
        content_type="text/html",
    )
