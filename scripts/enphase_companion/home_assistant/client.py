"""A client of Home Assistant's websocket API: sign-in with a token, commands and subscriptions.

The token is sent only to the address of the settings, and after its certificate is verified unless the owner
typed http://. No redirect is followed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any, NoReturn, Self

import aiohttp
import orjson

from enphase_api import Silence
from enphase_api.http import silence_of
from enphase_api.json_values import is_too_deep, printable

from ..config.settings import Settings
from ..runtime.errors import CommandError, SettingsError

_PATH = "/api/websocket"

#: The commands of this project's integration begin with it.
INTEGRATION = "enphase_iq_gateway"

#: Seconds for the connection with its sign-in, and for the answer to a command.
_CONNECT_TIMEOUT, _ANSWER_TIMEOUT = 15, 60

#: Seconds between two pings; a Home Assistant that does not answer one in time is gone.
_HEARTBEAT = 20

#: Bytes; years of statistics are the longest answers.
_MAX_ANSWER = 64_000_000

#: Events of a subscription that wait to be read; with more, nothing is received until one is.
_MAX_WAITING = 64

#: Characters of a text of Home Assistant in an error.
_MAX_TEXT = 200

_SILENT = {
    Silence.UNKNOWN_HOST: "is unknown on this network: check its name",
    Silence.REFUSED: "refuses the connection: check the port, which is 8123 unless it was changed",
    Silence.TIMEOUT: "does not answer: check the address, and whether Home Assistant is running",
    Silence.NO_TLS: "does not answer with TLS: without a certificate, its address begins with http://",
    Silence.BROKEN: "closed the connection",
}
_OTHER = "answers, but is not Home Assistant: use the address that its page has in a browser"
_ADVICE = "create a long-lived access token in Home Assistant, on the page of your user, under Security"


class UnavailableError(CommandError):
    """Home Assistant does not answer, or something else does: a later attempt may succeed."""


class TokenRefusedError(SettingsError):
    """Home Assistant refuses the token: further attempts would get this machine banned."""


class RefusedError(CommandError):
    """Home Assistant refuses a command."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        #: Home Assistant's code of the reason, such as "not_found" or "unauthorized".
        self.code = code


class Subscription:
    """The events of a subscription; when the connection is lost, they raise UnavailableError."""

    def __init__(self, number: int, events: asyncio.Queue[Any]) -> None:
        #: The id of the command that subscribed.
        self.number = number
        self._events = events

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        """Return the next event."""
        event = await self._events.get()
        if isinstance(event, UnavailableError):
            raise event
        return event


class HomeAssistant:
    """A signed-in connection, which `connect` opens."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, place: str, version: str) -> None:
        self._socket = socket
        #: The setting of the address with its value, as a message names it.
        self.place = place
        self._last_id = 0
        self._answers: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._events: dict[int, asyncio.Queue[Any]] = {}
        #: Version of Home Assistant, such as "2026.11.2".
        self.version = version

    async def command(self, type_: str, **data: Any) -> Any:
        """Send a command and return its result.

        Raises RefusedError if Home Assistant refuses it, UnavailableError if the connection is lost.
        """
        return await self._send(self._next_id(), type_, data)

    async def subscribe(self, type_: str, **data: Any) -> Subscription:
        """Send a command that subscribes, and return its events.

        While events are not read, nothing else is received on this connection. Raises as `command` does.
        """
        number = self._next_id()
        events = self._events[number] = asyncio.Queue(_MAX_WAITING)
        try:
            await self._send(number, type_, data)
        except BaseException:
            del self._events[number]
            raise
        return Subscription(number, events)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    async def _send(self, number: int, type_: str, data: Mapping[str, Any]) -> Any:
        answered = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                await self._socket.send_str(orjson.dumps({"id": number, "type": type_, **data}).decode())
                answer = await answered
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise UnavailableError(f"{self.place} did not answer the command {type_}") from error
        finally:
            del self._answers[number]
        if answer.get("success") is not True:
            self._refuse(type_, answer.get("error"))
        return answer.get("result")

    def _refuse(self, type_: str, error: object) -> NoReturn:
        reason = error if isinstance(error, dict) else {}
        code, text = _shown(reason.get("code")), _shown(reason.get("message"))
        if code == "unknown_command" and type_.startswith(f"{INTEGRATION}/"):
            text = (
                "its integration Enphase IQ Gateway is missing, not set up or older than this program: "
                "install the same version, and restart Home Assistant"
            )
        elif code == "unauthorized":
            text = "the token's user may not do that: create the token as another user"
        raise RefusedError(f"{self.place} refuses {type_}: {text or code}", code)

    async def receive(self) -> None:
        """Pass on what is received, until the connection is lost."""
        lost = UnavailableError(f"{self.place} closed the connection")
        try:
            while True:
                for message in _objects(await _receive(self._socket, self.place)):
                    await self._pass_on(message)
        except UnavailableError as error:
            lost = error
        finally:
            for answered in self._answers.values():
                if not answered.done():
                    answered.set_exception(lost)
        for events in self._events.values():
            await events.put(lost)

    async def _pass_on(self, message: Mapping[str, Any]) -> None:
        number = message.get("id")
        if not isinstance(number, int):
            return
        if message.get("type") == "event":
            if number in self._events:
                await self._events[number].put(message.get("event"))
        elif (answered := self._answers.get(number)) is not None and not answered.done():
            answered.set_result(message)


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[HomeAssistant]:
    """Yield a connection to the Home Assistant of these settings, signed in; close it at the end.

    Raises SettingsError without a token, TokenRefusedError if it is refused, UnavailableError if Home
    Assistant cannot be reached.
    """
    url, token = settings.home_assistant_url, settings.home_assistant_token
    if url is None or token is None:
        missing, cure = (
            (
                "home_assistant_url",
                "set the address that its page has in a browser, such as http://homeassistant.local:8123",
            )
            if url is None
            else ("home_assistant_token", _ADVICE)
        )
        raise SettingsError(f"{settings.in_file(missing)}: is missing: {cure}")
    place = f"{settings.where('home_assistant_url')}: {url}"
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trace_configs=[_without_redirects()])
        )
        with _explain(place):
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                socket = await stack.enter_async_context(
                    session.ws_connect(url + _PATH, heartbeat=_HEARTBEAT, max_msg_size=_MAX_ANSWER)
                )
                version = await _sign_in(socket, token, place, settings.where("home_assistant_token"))
        found = HomeAssistant(socket, place, version)
        receiver = asyncio.create_task(found.receive())
        try:
            yield found
        finally:
            receiver.cancel()
            with suppress(asyncio.CancelledError):
                await receiver


async def _sign_in(socket: aiohttp.ClientWebSocketResponse, token: str, place: str, token_place: str) -> str:
    """Sign in, and return the version of Home Assistant."""
    (begin,) = _objects(await _receive(socket, place)) or ({},)
    if begin.get("type") != "auth_required":
        raise UnavailableError(f"{place} {_OTHER}")
    await socket.send_str(orjson.dumps({"type": "auth", "access_token": token}).decode())
    (answer,) = _objects(await _receive(socket, place)) or ({},)
    if answer.get("type") == "auth_invalid":
        raise TokenRefusedError(
            f"{token_place}: Home Assistant refuses this token, which may have been revoked: {_ADVICE}"
        )
    if answer.get("type") != "auth_ok":
        raise UnavailableError(f"{place} {_OTHER}")
    return _shown(answer.get("ha_version"))


async def _receive(socket: aiohttp.ClientWebSocketResponse, place: str) -> Any:
    """Return the next message as JSON. Raises UnavailableError if there is none."""
    received = await socket.receive()
    if received.type is not aiohttp.WSMsgType.TEXT:
        raise UnavailableError(f"{place} closed the connection")
    body = received.data.encode()
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UnavailableError(f"{place} {_OTHER}") from None
    if is_too_deep(body, content):
        raise UnavailableError(f"{place} {_OTHER}")
    return content


def _objects(content: Any) -> list[Mapping[str, Any]]:
    """Return the messages of a frame; Home Assistant may send several as one list."""
    return [each for each in (content if isinstance(content, list) else [content]) if isinstance(each, dict)]


def _shown(value: object) -> str:
    return printable(value, _MAX_TEXT) if isinstance(value, str) else ""


def _without_redirects() -> aiohttp.TraceConfig:
    """Return hooks that end a request that is redirected: its new address would get the token."""

    async def end(*_: object) -> NoReturn:
        raise aiohttp.ClientPayloadError

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(end)
    return trace


@contextmanager
def _explain(place: str) -> Iterator[None]:
    """Raise UnavailableError for an error of the connection: what is wrong and what to do."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        reason = _shown(getattr(error.certificate_error, "verify_message", None))
        raise UnavailableError(
            f"{place} has a certificate that cannot be verified ({reason}), so no token was sent: use the "
            "name in the certificate, or set SSL_CERT_FILE to the file of its issuer"
        ) from None
    except aiohttp.ClientResponseError as error:
        raise UnavailableError(f"{place} {_explain_status(error.status)}") from None
    except aiohttp.ClientPayloadError:
        raise UnavailableError(f"{place} redirects, so no token was sent: use its final address") from None
    except (aiohttp.ClientError, OSError) as error:
        raise UnavailableError(f"{place} {_SILENT[silence_of(error)]}") from None


def _explain_status(status: int) -> str:
    if status == 403:
        return "refuses this machine: look for its address in Home Assistant's ip_bans.yaml"
    if status >= 500:
        return f"answers with status {status}, as while Home Assistant starts: try again in a minute"
    return _OTHER
