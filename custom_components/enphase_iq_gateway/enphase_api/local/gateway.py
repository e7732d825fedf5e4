"""The client of an IQ Gateway: one session, one request at a time, and parsed answers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

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
from ..http import cookie_header, read_json, status_error
from ..models import (
    Batteries,
    DeviceData,
    DryContact,
    Generator,
    Info,
    Inverter,
    Live,
    Meter,
    Production,
    ProductionTotals,
    Readings,
    Relay,
    Report,
    Tariff,
)
from ..models.storage import TARIFF
from .connection import SESSION_COOKIE, Connection, fetch_plain
from .control import Control
from .stream import STREAM_TIMEOUT, read_events
from .trust import Certificate, fetch_certificate

DEFAULT_HOST = "https://envoy.local"
DEFAULT_CERT_FILE = "configuration/gateway.cer"

_SERVER = "the gateway"

#: How the gateway's own pages declare some commands that are JSON.
_FORM = "application/x-www-form-urlencoded; charset=UTF-8"


class Gateway(Connection):
    """An IQ Gateway on the local network.

    `certificate` (PEM) is the trusted certificate; without it, it is read from `cert_file` when first needed.
    Without both, no token is sent: see `trust_gateway`. `insecure=True` accepts any certificate, at the
    user's own risk, and sends the token with each request instead of a session cookie. `session` is used and
    never closed; without it, see `SessionHolder`.

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
        #: The gateway's time when this machine's monotonic clock was 0; None until it is known.
        self._steady_zero: datetime | None = None
        # A gateway is slow: two requests are never sent at once.
        self._lock = asyncio.Lock()
        #: The commands; they change the gateway.
        self.control = Control(self)

    @staticmethod
    async def trust_gateway(
        host: str = DEFAULT_HOST, cert_file: str | os.PathLike[str] = DEFAULT_CERT_FILE
    ) -> Certificate:
        """Store the certificate that the gateway shows now, and return it: compare its fingerprint yourself.

        The file has mode 0600; if it cannot be written, an older one remains. Raises CommunicationError if
        the gateway does not answer, OSError if the file cannot be written.
        """
        certificate = await fetch_certificate(host)
        await asyncio.to_thread(write_private, cert_file, certificate.pem)
        return certificate

    async def login(self, token: str) -> bool:
        """Open a session with a token; False if the gateway rejects it (an open session stays open).

        Raises NotTrustedError or CertificateChangedError before anything is sent, CommunicationError or
        ResponseError if the gateway does not answer.
        """
        async with self._lock:
            return await self._login(token)

    async def login_oauth_code(self, code: str, verifier: str) -> bool:
        """Log in with a token that the gateway itself fetches from Entrez with an OAuth code.

        Raises AuthenticationError if Entrez or the gateway rejects the code, and as `login` does.
        """
        path = "/auth/get_jwt"
        body = {"client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI, "code_verifier": verifier, "code": code}
        async with self._lock:
            answer = await self._ask("POST", path, json=body)
            given = await read_json(answer.body, path, _SERVER) if answer.status == 200 else None
            if isinstance(given, dict) and isinstance(given.get("access_token"), str):
                return await self._login(given["access_token"])
        if answer.status in (200, 400, 401, 403):
            raise AuthenticationError("the gateway got no token for this code: sign in again for a new code")
        raise status_error(_SERVER, path, answer.status)

    async def api_call(
        self,
        path: str,
        method: str = "GET",
        data: Mapping[str, str] | str | None = None,
        json: Any = None,
        response_raw: bool = False,
    ) -> Any:
        """Return the parsed JSON of a path, or its bytes with `response_raw`; None if the answer is empty.

        `data` is a form, or a text that is sent as if it were one. A session that has ended is reopened once.
        Raises AuthenticationError if the token is no longer accepted (NotAllowedError: not for this path),
        ResponseError for any other status, InvalidAnswerError if the body is not JSON, CommunicationError if
        the gateway does not answer, CertificateError if it is not, or no longer, the trusted one.
        """
        # aiohttp declares a form by itself.
        declared = {"Content-Type": _FORM} if isinstance(data, str) else {}
        async with self._lock:
            answer = await self._ask(
                method, path, data=data, json=json, headers=self._authorization(declared)
            )
            if answer.status == 401 and self._token is not None:
                await self._login_again(self._token)
                answer = await self._ask(
                    method, path, data=data, json=json, headers=self._authorization(declared)
                )
        if answer.status == 401:
            raise self._not_allowed_error(path)
        if not 200 <= answer.status < 300:
            raise status_error(_SERVER, path, answer.status)
        if response_raw:
            return answer.body
        return await read_json(answer.body, path, _SERVER) if answer.body else None

    async def api_call_stream(self, path: str) -> AsyncGenerator[Any, None]:
        """Yield the Server-Sent Events of a path as parsed JSON until the gateway ends them.

        /stream/meter requires an installer's token since firmware 7.6. Other calls are possible at the same
        time; to end the stream early, use `contextlib.aclosing`. Raises as `api_call` does, and
        CommunicationError after a minute without an event.
        """
        for attempt in (1, 2):
            async with self._open(
                "GET", path, timeout=STREAM_TIMEOUT, headers=self._authorization()
            ) as response:
                if response.status == 200:
                    async for event in read_events(response, path, _SERVER):
                        yield event
                    return
                if response.status != 401:
                    raise status_error(_SERVER, path, response.status)
            if self._token is None:
                break
            if attempt == 1:
                async with self._lock:
                    await self._login_again(self._token)
        raise self._not_allowed_error(path)

    async def info(self) -> Info:
        """Return the gateway's identity; needs neither a login nor a trusted certificate.

        Raises InvalidAnswerError if the host is not a gateway, UnsupportedFirmwareError if its firmware is
        older than 7.
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
            raise status_error(_SERVER, path, answer.status)
        info = Info.from_xml(answer.body, path)
        info.require_tokens()
        if info.time is not None:
            self._set_clock(info.time)
        return info

    @property
    def now(self) -> datetime:
        """The time (UTC) by the gateway's clock, as of its readings and reports.

        Without the Internet, this clock can be wrong by years, and so can that of this machine until it is
        synchronized: therefore the time advances by the monotonic clock from the last time in `info`, or from
        a later time in another answer. Before the first of these, it is the time of this machine.
        """
        if self._steady_zero is None:
            return datetime.now(UTC)
        return self._steady_zero + timedelta(seconds=time.monotonic())

    def _set_clock(self, now: datetime) -> None:
        self._steady_zero = now - timedelta(seconds=time.monotonic())

    def _note_dates(self, *dates: datetime | None) -> None:
        """Set the clock to the latest of these times if it is behind."""
        newest = max((date for date in dates if date is not None), default=None)
        if newest is not None and newest > self.now:
            self._set_clock(newest)

    async def meters(self) -> tuple[Meter, ...]:
        """Return all meters, including disabled ones; none if the gateway has no metering."""
        answer = await self.optional_call("/ivp/meters")
        # A standard gateway lacks this endpoint, or answers with an error instead of a list (quirks.KNOWN).
        if isinstance(answer, dict) and "error" in answer:
            answer = []
        self._meters = Meter.list_from_json(answer or [])
        return self._meters

    async def readings(self, meters: Iterable[Meter] | None = None) -> Readings:
        """Return the current readings of the enabled meters.

        `meters` is the result of `meters()`; without it, the list is requested once and kept.
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
        """Return /ivp/meters/reports; prefer `readings`, which have the exported energy on every firmware."""
        return Report.list_from_json(await self.api_call("/ivp/meters/reports"))

    async def production(self) -> Production:
        """Return /production.json; it takes a gateway seconds, so do not request it often."""
        production = Production.from_json(await self.api_call("/production.json"))
        self._note_dates(None if production.inverters is None else production.inverters.measured_at)
        return production

    async def production_totals(self) -> ProductionTotals | None:
        """Return /api/v1/production, which is fast; None if the gateway lacks it.

        Without a production meter, these are the totals of the microinverters, unless they are 0 or do not
        change: `models.unmetered_lifetime_energy` handles this.
        """
        answer = await self.optional_call("/api/v1/production")
        return None if answer is None else ProductionTotals.from_json(answer)

    async def inverters(self) -> tuple[Inverter, ...]:
        """Return the last report of each microinverter; on firmware 8, `device_data` has more details."""
        inverters = Inverter.list_from_json(await self.api_call("/api/v1/production/inverters"))
        self._note_dates(*(inverter.last_reported_at for inverter in inverters))
        return inverters

    async def batteries(self) -> Batteries:
        """Return all batteries; this takes two small requests, or three if there are IQ Batteries.

        The power of AC Batteries is only in /production.json, which takes a gateway seconds: if
        `has_ac` is not False, add it with `batteries.with_ac((await gateway.production()).ac_batteries)`.
        """
        inventory = await self.optional_call("/ivp/ensemble/inventory") or []
        has_units = bool(Batteries.from_json(inventory).units)
        power = await self.optional_call("/ivp/ensemble/power") if has_units else None
        return Batteries.from_json(inventory, power, await self.optional_call("/ivp/ensemble/secctrl"))

    async def device_data(self) -> DeviceData | None:
        """Return /ivp/pdm/device_data: all that each microinverter reports, for at most 50 devices.

        None if the gateway lacks it, as all with firmware 7. If it `is_complete`, it has all that `inverters`
        has; else, `merge` adds the others.
        """
        answer = await self.optional_call("/ivp/pdm/device_data")
        if answer is None:
            return None
        data = DeviceData.from_json(answer)
        self._note_dates(*(inverter.last_reported_at for inverter in data.inverters))
        return data

    async def relay(self) -> Relay | None:
        """Return the relay of the System Controller; None if the gateway lacks the endpoint."""
        answer = await self.optional_call("/ivp/ensemble/relay")
        return None if answer is None else Relay.from_json(answer)

    async def generator(self) -> Generator | None:
        """Return the generator; None if there is none."""
        answer = await self.optional_call("/ivp/ensemble/generator")
        found = None if answer is None else Generator.from_json(answer)
        return found if found is not None and found.is_there else None

    async def dry_contacts(self) -> tuple[DryContact, ...]:
        """Return the dry contacts with their settings; this takes two small requests.

        Gateways without System Controller report some, too, which are connected to nothing. After a change of
        settings by `control`, an open NC contact is unknown for a while: see `Control.are_contacts_settling`.
        """
        status = await self.optional_call("/ivp/ensemble/dry_contacts")
        if status is None:
            return ()
        settings = await self.optional_call("/ivp/ss/dry_contact_settings")
        return tuple(map(self.control.believe, DryContact.list_from_json(status, settings)))

    async def tariff(self) -> Tariff | None:
        """Return the prices of the owner's tariff; None if the gateway has none."""
        answer = await self.optional_call(TARIFF)
        return None if answer is None else Tariff.from_json(answer)

    async def live(self) -> Live:
        """Return the live status, which changes each second only while a stream is enabled."""
        live = Live.from_json(await self.api_call("/ivp/livedata/status"))
        self._note_dates(live.updated_at)
        return live

    async def enable_live(self) -> None:
        """Enable the stream that keeps the live status up to date; it ends by itself after about 15 minutes.

        Raises NotAllowedError if the token's role does not allow it.
        """
        await self.api_call("/ivp/livedata/stream", "POST", json={"enable": 1})

    async def _login(self, token: str) -> bool:
        path, raw = "/auth/check_jwt", token.strip()
        if not has_form_of_token(raw):
            # There is nothing to send, but an untrusted gateway is reported first.
            await self._trusted_context(secret=True)
            return False
        answer = await self._ask("POST", path, headers={"Authorization": f"Bearer {raw}"})
        if answer.status in (401, 403):
            return False
        if answer.status != 200:
            raise status_error(_SERVER, path, answer.status)
        # Without verification, there is no session: only the token is sent, as the user chose.
        self._token, self._session_id = raw, None if self._is_insecure else answer.session_id
        return True

    async def _login_again(self, token: str) -> None:
        if not await self._login(token):
            raise AuthenticationError("the token is no longer accepted by the gateway: get a new one")

    async def _refuse_old_firmware(self, path: str) -> None:
        """Raise UnsupportedFirmwareError if the host is a gateway with older firmware than 7, by plain http.

        Such a gateway may not support https; without this, the error would be that it does not answer.
        """
        if self._certificate is not None or self._is_insecure:
            return
        with suppress(OSError, InvalidAnswerError):
            Info.from_xml(await fetch_plain(self._url, path), path).require_tokens()

    def _not_allowed_error(self, path: str) -> AuthenticationError:
        if self._token is None:
            return AuthenticationError(f"the gateway requires a login for {path}: call login first")
        return NotAllowedError(f"the gateway does not allow {path} with this token's role", path=path)

    def _authorization(self, headers: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return these headers with the one that authorizes a request: the session cookie, else the token."""
        authorized = dict(headers or {})
        if self._session_id is not None:
            authorized |= cookie_header({SESSION_COOKIE: self._session_id})
        elif self._token is not None:
            authorized["Authorization"] = f"Bearer {self._token}"
        return authorized

    async def optional_call(self, path: str) -> Any:
        """Return the result of `api_call`, or None if the gateway lacks the endpoint or does not allow it."""
        try:
            return await self.api_call(path)
        except NotAllowedError:
            # Early firmware 7 answers 401 for missing endpoints (quirks.KNOWN).
            return None
        except ResponseError as error:
            if error.status != 404:
                raise
            return None
