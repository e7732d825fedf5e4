"""The IQ Gateway: one session, one request at a time, and nothing secret to a certificate that is not trusted."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import aiohttp
import orjson
from yarl import URL

from ..exceptions import (
    AuthenticationError,
    CertificateChangedError,
    CommunicationError,
    InvalidAnswerError,
    NotTrustedError,
    ResponseError,
)
from ..http import SessionHolder, forget_cookie, parse_host
from ..models import Batteries, Info, Inverter, Live, Meter, Production, Readings, Report
from ..private_file import write_private_file
from .trust import Certificate, fetch_certificate, read_certificate, unverified_context

_LOGGER = logging.getLogger(__name__)

DEFAULT_HOST = "https://envoy.local"
DEFAULT_CERT_FILE = "configuration/gateway.cer"

#: Seconds. The slowest page seen on a real gateway took 11.
_TIMEOUT = aiohttp.ClientTimeout(total=45, sock_connect=10)
#: Seconds without an event before a stream counts as broken; it sends about one a second.
_STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)

_SESSION_COOKIE = "sessionId"
_HEADERS = {"Accept": "application/json"}

#: What the gateway registers itself as with Entrez.
OAUTH_CLIENT_ID = "envoy-ui-1"
OAUTH_REDIRECT_URI = "https://envoy.local/auth/callback"


class Gateway(SessionHolder):
    """An IQ Gateway on the local network.

    `certificate` (PEM) is the trusted certificate; without it, it is read from `cert_file` when first needed. With
    neither, no token is sent: see `trust_gateway`. `insecure=True` believes any certificate instead, at the owner's
    own risk. `session` is used and never closed; without it see `SessionHolder`.

    Raises InvalidHostError for an address that is none.
    """

    def __init__(
        self,
        host: str = DEFAULT_HOST,
        cert_file: str | os.PathLike[str] = DEFAULT_CERT_FILE,
        certificate: str | None = None,
        session: aiohttp.ClientSession | None = None,
        *,
        insecure: bool = False,
    ) -> None:
        super().__init__(session)
        self._url = parse_host(host)
        self._cert_file = None if certificate is not None else cert_file
        self._certificate = None if certificate is None else Certificate.from_pem(certificate)
        self._context: ssl.SSLContext | None = unverified_context() if insecure else None
        self._token: str | None = None
        self._session_id: str | None = None
        self._meters: tuple[Meter, ...] | None = None
        # A gateway is a weak computer: it is never asked two things at once.
        self._lock = asyncio.Lock()

    @property
    def host(self) -> str:
        """The gateway's address, such as "https://envoy.local"."""
        return str(self._url)

    @property
    def certificate(self) -> Certificate | None:
        """The trusted certificate; another than was given once the gateway has renewed it with the same key."""
        return self._certificate

    @staticmethod
    async def trust_gateway(
        host: str = DEFAULT_HOST, cert_file: str | os.PathLike[str] = DEFAULT_CERT_FILE
    ) -> Certificate:
        """Store the certificate that the gateway shows now, and give it: compare its fingerprint with your own eyes.

        The file is written with mode 0600; on failure nothing is left behind and an older one stays. Raises
        CommunicationError where nobody answers, OSError where the file cannot be written.
        """
        certificate = await fetch_certificate(host)
        await asyncio.to_thread(write_private_file, cert_file, certificate.pem)
        return certificate

    async def login(self, token: str) -> bool:
        """Open a session with a token; False where the gateway refuses the token.

        Raises NotTrustedError or CertificateChangedError before anything is sent, CommunicationError and
        ResponseError where the gateway cannot answer.
        """
        path = "/auth/check_jwt"
        self._session_id = None
        async with self._exchange("POST", path, headers={"Authorization": f"Bearer {token}"}) as response:
            if response.status in (401, 403):
                return False
            if response.status != 200:
                raise _refused(path, response.status)
            cookie = response.cookies.get(_SESSION_COOKIE)
        self._session_id = cookie.value if cookie is not None else None
        self._token = token
        return True

    async def login_oauth_code(self, code: str, verifier: str) -> bool:
        """Let the gateway fetch a token with an OAuth code (it needs the Internet for that), and log in with it.

        Raises AuthenticationError where Entrez or the gateway refuses the code.
        """
        path = "/auth/get_jwt"
        body = {
            "client_id": OAUTH_CLIENT_ID,
            "redirect_uri": OAUTH_REDIRECT_URI,
            "code_verifier": verifier,
            "code": code,
        }
        async with self._exchange("POST", path, json=body) as response:
            if response.status != 200:
                raise _refused(path, response.status)
            answer = _parsed(await response.read(), path)
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise AuthenticationError("The gateway got no token for this code. Sign in again for a new code.")
        return await self.login(token)

    async def api_call(
        self,
        path: str,
        method: str = "GET",
        data: Mapping[str, str] | None = None,
        json: Any = None,
        response_raw: bool = False,
    ) -> Any:
        """Give the parsed JSON of a path, or its bytes with `response_raw`; None where the answer is empty.

        A session that has ended is opened again once, silently. Raises AuthenticationError where that does not
        help, ResponseError for any other status, InvalidAnswerError where a body is no JSON, CommunicationError
        where nobody answers, CertificateError where the gateway is not, or no longer, the trusted one.
        """
        status, body = await self._call(path, method, data, json)
        if status == 401 and self._token is not None:
            if not await self.login(self._token):
                raise AuthenticationError("The gateway no longer accepts the token. Get a new one.")
            status, body = await self._call(path, method, data, json)
        if status == 401:
            raise AuthenticationError(
                f"The gateway wants a login for {path}."
                if self._token is None
                else f"The gateway does not allow {path} with this token's role."
            )
        if not 200 <= status < 300:
            raise _refused(path, status)
        if response_raw:
            return body
        return _parsed(body, path) if body else None

    async def api_call_stream(self, path: str) -> AsyncIterator[Any]:
        """Give the Server-Sent Events of a path, such as /stream/meter, as parsed JSON until the gateway ends it.

        /stream/meter needs an installer's token since firmware 7.6. Raises as `api_call` does.
        """
        async with self._exchange("GET", path, timeout=_STREAM_TIMEOUT, alone=False, **self._signed()) as response:
            if response.status == 401:
                raise AuthenticationError(f"The gateway does not allow {path} with this token's role.")
            if response.status != 200:
                raise _refused(path, response.status)
            async for line in response.content:
                if line.startswith(b"data:"):
                    yield _parsed(line.removeprefix(b"data:").strip(), path)

    async def info(self) -> Info:
        """Give the gateway's identity; needs no login, and where nothing is trusted yet, no trust either.

        Raises InvalidAnswerError where something else than a gateway answers, UnsupportedFirmwareError where its
        firmware is older than 7.
        """
        path = "/info"
        async with self._exchange("GET", path, secret=False) as response:
            if response.status != 200:
                raise _refused(path, response.status)
            info = Info.from_xml(await response.read(), path)
        info.require_tokens()
        return info

    async def meters(self) -> tuple[Meter, ...]:
        """Give all meters, disabled ones included; none where the gateway has no metering."""
        try:
            answer = await self.api_call("/ivp/meters")
        except ResponseError as error:
            # A standard gateway has no such page, or answers that it has no meters.
            if error.status != 404:
                raise
            answer = []
        self._meters = Meter.list_from_json(answer or [])
        return self._meters

    async def readings(self, meters: Iterable[Meter] | None = None) -> Readings:
        """Give what the enabled meters read now.

        `meters` is what `meters()` gave; without it, the list is asked for once and kept.
        """
        known = meters if meters is not None else self._meters if self._meters is not None else await self.meters()
        return Readings.from_json(await self.api_call("/ivp/meters/readings"), known)

    async def reports(self) -> tuple[Report, ...]:
        """Give /ivp/meters/reports; prefer `readings`, which know the exported energy on every firmware."""
        return Report.list_from_json(await self.api_call("/ivp/meters/reports"))

    async def production(self) -> Production:
        """Give /production.json, which takes a gateway seconds: ask for it rarely."""
        return Production.from_json(await self.api_call("/production.json"))

    async def inverters(self) -> tuple[Inverter, ...]:
        """Give each microinverter's last report."""
        return Inverter.list_from_json(await self.api_call("/api/v1/production/inverters"))

    async def batteries(self) -> Batteries:
        """Give all IQ Batteries; three requests where there are any, else one."""
        inventory = await self.api_call("/ivp/ensemble/inventory")
        if not inventory:
            return Batteries(units=())
        power = await self.api_call("/ivp/ensemble/power")
        return Batteries.from_json(inventory, power, await self.api_call("/ivp/ensemble/secctrl"))

    async def live(self) -> Live:
        """Give the live status; its values move each second only while a stream is on."""
        return Live.from_json(await self.api_call("/ivp/livedata/status"))

    def _signed(self) -> dict[str, Any]:
        """Give what authorises a request: the session's cookie, or the token where the firmware gave no cookie."""
        if self._session_id is not None:
            return {"cookies": {_SESSION_COOKIE: self._session_id}}
        return {} if self._token is None else {"headers": {"Authorization": f"Bearer {self._token}"}}

    async def _call(
        self, path: str, method: str, data: Mapping[str, str] | None, json: Any
    ) -> tuple[int, bytes]:
        async with self._exchange(method, path, data=data, json=json, **self._signed()) as response:
            return response.status, await response.read()

    @asynccontextmanager
    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        secret: bool = True,
        alone: bool = True,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout = _TIMEOUT,
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request to the trusted gateway; every request of this client goes through here.

        Only a request that holds nothing `secret` may go to a gateway that is not trusted yet.
        """
        # Joined as text: a path cannot name another host, whatever it holds.
        url = URL(f"{str(self._url).rstrip('/')}/{path.lstrip('/')}")

        async def send(session: aiohttp.ClientSession, context: ssl.SSLContext) -> aiohttp.ClientResponse:
            return await session.request(
                method,
                url,
                ssl=context,
                headers={**_HEADERS, **(headers or {})},
                allow_redirects=False,
                timeout=timeout,
                **options,
            )

        async with self._lock if alone else nullcontext(), self._session() as session:
            try:
                try:
                    response = await send(session, await self._trusted_context(secret))
                except aiohttp.ClientConnectorCertificateError:
                    response = await send(session, await self._renewed_context())
                async with response:
                    forget_cookie(session, _SESSION_COOKIE, self._url.host)
                    yield response
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                # The error's own text could repeat what was sent.
                raise CommunicationError(
                    f"{self._url.host} did not answer {path} ({type(error).__name__})", path=path
                ) from error

    async def _trusted_context(self, secret: bool) -> ssl.SSLContext:
        """Give the one context of this client, read on first use.

        Raises NotTrustedError for a secret while nothing is trusted.
        """
        if self._context is not None:
            return self._context
        if self._certificate is None and self._cert_file is not None:
            self._certificate = await asyncio.to_thread(read_certificate, self._cert_file)
        if self._certificate is None:
            if secret:
                raise NotTrustedError(
                    "No certificate of this gateway is trusted yet, so no token was sent. "
                    "Call Gateway.trust_gateway first, and compare the fingerprint it gives."
                )
            return unverified_context()
        if self._certificate.is_expired:
            _LOGGER.warning(
                "The gateway's trusted certificate expired on %s; it is trusted all the same",
                self._certificate.not_after.date(),
            )
        self._context = self._certificate.ssl_context()
        return self._context

    async def _renewed_context(self) -> ssl.SSLContext:
        """Give a context for the certificate shown now where it is the trusted one renewed: another, with its key.

        Only who holds the key can show a certificate of it. Raises CertificateChangedError for any other.
        """
        shown = await fetch_certificate(self.host)
        trusted = self._certificate
        if trusted is None or shown.key_fingerprint != trusted.key_fingerprint:
            raise CertificateChangedError(
                trusted=trusted.fingerprint if trusted is not None else "",
                shown=shown.fingerprint,
                shown_pem=shown.pem,
            )
        _LOGGER.info("The gateway has renewed its certificate with the same key: SHA-256 %s", shown.fingerprint)
        if self._cert_file is not None:
            await asyncio.to_thread(write_private_file, self._cert_file, shown.pem)
        self._certificate = shown
        self._context = shown.ssl_context()
        return self._context


def _refused(path: str, status: int) -> ResponseError:
    """Say what a status that is no success means."""
    # 429 and all of 5xx pass: a gateway gives 503 for minutes while it starts.
    return ResponseError(
        f"The gateway answered {path} with status {status}",
        path=path,
        status=status,
        retryable=status == 429 or status >= 500,
    )


def _parsed(body: bytes, path: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidAnswerError(f"The gateway answered {path} with something that is no JSON", path=path) from error
