"""The IQ Gateway: one session, one request at a time, and its answers as what they mean."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from yarl import URL

from ..cloud.authentication import CLIENT_ID, REDIRECT_URI
from ..cloud.token import has_form_of_token
from ..exceptions import (
    AuthenticationError,
    CommunicationError,
    InvalidAnswerError,
    NotAllowedError,
    ResponseError,
    Silence,
)
from ..files import write_private
from ..http import cookie_header, encoding_of, parse_json, read_json, status_error
from ..models import Batteries, Info, Inverter, Live, Meter, Production, ProductionTotals, Readings, Report
from .connection import SESSION_COOKIE, Connection, limit_of
from .trust import Certificate, fetch_certificate

DEFAULT_HOST = "https://envoy.local"
DEFAULT_CERT_FILE = "configuration/gateway.cer"

#: Seconds without an event before a stream counts as broken; it sends about one a second.
_STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)

#: Bytes; an event of /stream/meter has some two thousand.
_MAX_EVENT = 100_000

#: Seconds that a gateway of before firmware 7 may take to say who it is.
_PLAIN_TIMEOUT = 10

_WHO = "The gateway"


class Gateway(Connection):
    """An IQ Gateway on the local network.

    `certificate` (PEM) is the trusted certificate; without it, it is read from `cert_file` when first needed.
    With neither, no token is sent: see `trust_gateway`. `insecure=True` believes any certificate instead, at
    the owner's own risk, and shows the token with each request, as whom nobody can verify gets no cookie.
    `session` is used and never closed; without it see `SessionHolder`.

    Raises InvalidHostError for an invalid address, CertificateError for an invalid `certificate`.
    """

    def __init__(
        self,
        host: str = DEFAULT_HOST,
        cert_file: str | os.PathLike[str] | None = DEFAULT_CERT_FILE,
        certificate: str | None = None,
        session: aiohttp.ClientSession | None = None,
        *,
        insecure: bool = False,
    ) -> None:
        super().__init__(host, cert_file, certificate, session, insecure=insecure)
        self._token: str | None = None
        self._session_id: str | None = None
        self._meters: tuple[Meter, ...] | None = None
        #: The gateway's time when this machine's steady clock was at 0; None until it has named a time.
        self._steady_zero: datetime | None = None
        # A gateway is slow: it never gets two requests at once.
        self._lock = asyncio.Lock()

    @staticmethod
    async def trust_gateway(
        host: str = DEFAULT_HOST, cert_file: str | os.PathLike[str] = DEFAULT_CERT_FILE
    ) -> Certificate:
        """Store the certificate that the gateway shows now, and give it: compare its fingerprint yourself.

        The file is written with mode 0600; on failure nothing is left behind and an older one stays. Raises
        CommunicationError where nobody answers, OSError where the file cannot be written.
        """
        certificate = await fetch_certificate(host)
        await asyncio.to_thread(write_private, cert_file, certificate.pem)
        return certificate

    async def login(self, token: str) -> bool:
        """Open a session with a token; False if the gateway rejects it (an open session stays open).

        Raises NotTrustedError or CertificateChangedError before anything is sent, CommunicationError and
        ResponseError where the gateway cannot answer.
        """
        async with self._lock:
            return await self._login(token)

    async def login_oauth_code(self, code: str, verifier: str) -> bool:
        """Log in with a token that the gateway fetches with an OAuth code; it needs the Internet for that.

        Raises AuthenticationError where Entrez or the gateway refuses the code, and as `login` does.
        """
        path = "/auth/get_jwt"
        body = {"client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI, "code_verifier": verifier, "code": code}
        async with self._lock:
            answer = await self._ask("POST", path, json=body)
            given = await read_json(answer.body, path, _WHO) if answer.status == 200 else None
            if isinstance(given, dict) and isinstance(given.get("access_token"), str):
                return await self._login(given["access_token"])
        if answer.status in (200, 400, 401, 403):
            raise AuthenticationError("The gateway got no token for this code. Sign in again for a new code.")
        raise status_error(_WHO, path, answer.status)

    async def api_call(
        self,
        path: str,
        method: str = "GET",
        data: Mapping[str, str] | None = None,
        json: Any = None,
        response_raw: bool = False,
    ) -> Any:
        """Return the parsed JSON of a path, or its bytes with `response_raw`; None where the answer is empty.

        A session that has ended is opened again once, silently. Raises AuthenticationError where the token is
        no longer accepted (NotAllowedError: not for this path), ResponseError for any other status,
        InvalidAnswerError where a body is no JSON, CommunicationError where nobody answers, CertificateError
        where the gateway is not, or no longer, the trusted one.
        """
        async with self._lock:
            answer = await self._ask(method, path, data=data, json=json, **self._signed())
            if answer.status == 401 and self._token is not None:
                await self._login_again(self._token)
                answer = await self._ask(method, path, data=data, json=json, **self._signed())
        if answer.status == 401:
            raise self._not_allowed(path)
        if not 200 <= answer.status < 300:
            raise status_error(_WHO, path, answer.status)
        if response_raw:
            return answer.body
        return await read_json(answer.body, path, _WHO) if answer.body else None

    async def api_call_stream(self, path: str) -> AsyncGenerator[Any, None]:
        """Yield the Server-Sent Events of a path as parsed JSON until the gateway ends them.

        /stream/meter needs an installer's token since firmware 7.6. It runs beside other calls; to end it
        early, use `contextlib.aclosing`. Raises as `api_call` does, and CommunicationError after a minute of
        silence.
        """
        for attempt in (1, 2):
            async with self._open("GET", path, timeout=_STREAM_TIMEOUT, **self._signed()) as response:
                if response.status == 200:
                    if encoding_of(response) != "identity":
                        raise InvalidAnswerError(f"The stream {path} is in a form not asked for", path=path)
                    async for event in _events(response, path):
                        yield event
                    return
                if response.status != 401:
                    raise status_error(_WHO, path, response.status)
            if self._token is None:
                break
            if attempt == 1:
                async with self._lock:
                    await self._login_again(self._token)
        raise self._not_allowed(path)

    async def info(self) -> Info:
        """Return the gateway's identity; needs no login, and where nothing is trusted yet, no trust either.

        Raises InvalidAnswerError where something else than a gateway answers, UnsupportedFirmwareError where
        its firmware is older than 7.
        """
        path = "/info"
        async with self._lock:
            try:
                answer = await self._ask("GET", path, secret=False)
            except CommunicationError as error:
                if error.reason is not Silence.UNKNOWN_HOST:
                    await self._refuse_old_firmware(path)
                raise
        if answer.status != 200:
            raise status_error(_WHO, path, answer.status)
        info = Info.from_xml(answer.body, path)
        info.require_tokens()
        if info.time is not None:
            self._set_clock(info.time)
        return info

    @property
    def now(self) -> datetime:
        """The gateway's own time (UTC), by which it dates its meters' readings and its units' reports.

        A gateway without the Internet can be off by years, and so can this machine until it has asked for the
        time: this goes on steadily from what the gateway last said that it is (`info`), or dated later than
        that. Until it has said anything, this is this machine's clock.
        """
        if self._steady_zero is None:
            return datetime.now(UTC)
        return self._steady_zero + timedelta(seconds=time.monotonic())

    def _set_clock(self, now: datetime) -> None:
        self._steady_zero = now - timedelta(seconds=time.monotonic())

    def _note_dates(self, *dates: datetime | None) -> None:
        """Note that the gateway's clock is not behind what it has dated already."""
        newest = max((date for date in dates if date is not None), default=None)
        if newest is not None and newest > self.now:
            self._set_clock(newest)

    async def meters(self) -> tuple[Meter, ...]:
        """Return all meters, disabled ones included; none where the gateway has no metering."""
        answer = await self._optional("/ivp/meters")
        # A standard gateway has no such endpoint, or answers with an error instead of a list.
        if isinstance(answer, dict) and "error" in answer:
            answer = []
        self._meters = Meter.list_from_json(answer or [])
        return self._meters

    async def readings(self, meters: Iterable[Meter] | None = None) -> Readings:
        """Return what the enabled meters read now.

        `meters` is what `meters()` gave; without it, the list is asked for once and kept.
        """
        known = self._meters if meters is None else tuple(meters)
        if known is None:
            known = await self.meters()
        if not any(meter.enabled for meter in known):
            return Readings(())
        readings = Readings.from_json(await self.api_call("/ivp/meters/readings"), known)
        if self._steady_zero is None and readings.measured_at is not None:
            self._set_clock(readings.measured_at)
        self._note_dates(readings.measured_at)
        return readings

    async def reports(self) -> tuple[Report, ...]:
        """Return /ivp/meters/reports; prefer `readings`, which know the exported energy on every firmware."""
        return Report.list_from_json(await self.api_call("/ivp/meters/reports"))

    async def production(self) -> Production:
        """Return /production.json, which takes a gateway seconds: ask for it rarely."""
        production = Production.from_json(await self.api_call("/production.json"))
        self._note_dates(None if production.inverters is None else production.inverters.measured_at)
        return production

    async def production_totals(self) -> ProductionTotals | None:
        """Return /api/v1/production, a quick page; None where the gateway has none.

        Without a production meter they are the microinverters', except where they stand still or are empty:
        `models.unmetered_lifetime_energy` knows what then counts.
        """
        answer = await self._optional("/api/v1/production")
        return None if answer is None else ProductionTotals.from_json(answer)

    async def inverters(self) -> tuple[Inverter, ...]:
        """Return each microinverter's last report."""
        inverters = Inverter.list_from_json(await self.api_call("/api/v1/production/inverters"))
        self._note_dates(*(inverter.last_reported_at for inverter in inverters))
        return inverters

    async def batteries(self) -> Batteries:
        """Return all batteries; two small requests, three where there are IQ Batteries.

        The power of AC Batteries is in /production.json alone, which takes a gateway seconds: if
        `has_ac` is not False, join it with `batteries.with_ac((await gateway.production()).ac_batteries)`.
        """
        inventory = await self._optional("/ivp/ensemble/inventory") or []
        has_units = bool(Batteries.from_json(inventory).units)
        power = await self._optional("/ivp/ensemble/power") if has_units else None
        return Batteries.from_json(inventory, power, await self._optional("/ivp/ensemble/secctrl"))

    async def live(self) -> Live:
        """Return the live status; its values move each second only while a stream is on."""
        return Live.from_json(await self.api_call("/ivp/livedata/status"))

    async def _login(self, token: str) -> bool:
        path, raw = "/auth/check_jwt", token.strip()
        if not has_form_of_token(raw):
            # Nothing to send; but that nothing is trusted comes first.
            await self._trusted_context(secret=True)
            return False
        answer = await self._ask("POST", path, headers={"Authorization": f"Bearer {raw}"})
        if answer.status in (401, 403):
            return False
        if answer.status != 200:
            raise status_error(_WHO, path, answer.status)
        # An unverified gateway gets no cookie, only the token that the owner chose to send.
        self._token, self._session_id = raw, None if self._is_insecure else answer.session_id
        return True

    async def _login_again(self, token: str) -> None:
        if not await self._login(token):
            raise AuthenticationError("The gateway no longer accepts the token. Get a new one.")

    async def _refuse_old_firmware(self, path: str) -> None:
        """Raise UnsupportedFirmwareError where a gateway answers by plain http that it is older than 7.

        Such a gateway may know no https; its owner is to hear that, not that nobody answers.
        """
        if self._certificate is not None or self._is_insecure:
            return
        with suppress(OSError, InvalidAnswerError):
            Info.from_xml(await _plain_answer(self._url, path), path).require_tokens()

    def _not_allowed(self, path: str) -> AuthenticationError:
        if self._token is None:
            return AuthenticationError(
                f"The gateway wants a login for {path}. Call login with a token first."
            )
        return NotAllowedError(f"The gateway does not allow {path} with this token's role.", path=path)

    def _signed(self) -> dict[str, Any]:
        """Return the header that authorises a request: the session's cookie, else the token."""
        if self._session_id is not None:
            return {"headers": cookie_header({SESSION_COOKIE: self._session_id})}
        return {} if self._token is None else {"headers": {"Authorization": f"Bearer {self._token}"}}

    async def _optional(self, path: str) -> Any:
        """Return what `api_call` gives, or None where this gateway has no such page or keeps it to itself."""
        try:
            return await self.api_call(path)
        except NotAllowedError:
            # Early firmware 7 answers 401 for what it does not have.
            return None
        except ResponseError as error:
            if error.status != 404:
                raise
            return None


async def _plain_answer(url: URL, path: str) -> bytes:
    """Return what a host answers to a path by plain http, as much of it as a gateway's can have.

    Read as it comes, so that nobody can keep this machine busy with it. Raises OSError where nobody answers.
    """
    limit, answer, end = limit_of(path), bytearray(), b"</envoy_info>"
    async with asyncio.timeout(_PLAIN_TIMEOUT):
        reader, writer = await asyncio.open_connection(url.host, url.with_scheme("http").port)
        try:
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {url.raw_host}\r\nAccept: */*\r\n\r\n".encode())
            while len(answer) <= limit and (part := await reader.read(limit)):
                answer += part
                # Some keep the connection open all the same.
                if answer.find(end, len(answer) - len(part) - len(end)) >= 0:
                    break
        finally:
            writer.transport.abort()
    return bytes(answer.partition(b"\r\n\r\n")[2])


async def _events(response: aiohttp.ClientResponse, path: str) -> AsyncIterator[Any]:
    """Yield each event of a stream; one that was cut off is dropped."""
    data, size = [], 0
    async for line in _lines(response.content, path):
        if line.startswith(b"data:"):
            data.append(line.removeprefix(b"data:"))
            if (size := size + len(line)) > _MAX_EVENT:
                raise _endless(path)
        elif not line:
            if data:
                yield parse_json(b"\n".join(data), path, _WHO)
            data, size = [], 0


async def _lines(content: aiohttp.StreamReader, path: str) -> AsyncIterator[bytes]:
    """Yield each line that has ended."""
    rest = bytearray()
    async for part in content.iter_any():
        # Only what is new can hold the line's end.
        start = len(rest)
        rest += part
        while (end := rest.find(b"\n", start)) >= 0:
            yield bytes(rest[:end]).removesuffix(b"\r")
            del rest[: end + 1]
            start = 0
        if len(rest) > _MAX_EVENT:
            raise _endless(path)


def _endless(path: str) -> InvalidAnswerError:
    return InvalidAnswerError(f"The gateway sent an event of {path} that has no end", path=path)
