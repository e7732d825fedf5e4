"""HTTPS to the trusted gateway; nothing secret is sent to any other."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from ..exceptions import CertificateChangedError, CommunicationError, InvalidAnswerError, NotTrustedError
from ..files import write_private
from ..http import MAX_BODY, SessionHolder, cookies_of, parse_host, read_body, translate_errors
from .tls import GatewayContext, unverified_context
from .trust import Certificate, fetch_certificate, read_certificate

_LOGGER = logging.getLogger(__name__)

#: Seconds; the slowest answer of a real gateway took 11.
TIMEOUT = aiohttp.ClientTimeout(total=45, sock_connect=10)

#: Seconds to wait for the identity of a gateway with firmware older than 7.
_PLAIN_TIMEOUT = 10

_HEADERS = {"Accept": "application/json"}

SESSION_COOKIE = "sessionId"

_WORDS, _READINGS = 64_000, 1_000_000

#: The maximum size of an answer in bytes, by path; the others are lists (`MAX_BODY`).
_LIMITS = {
    "/info": _WORDS,
    "/auth/check_jwt": _WORDS,
    "/auth/get_jwt": _WORDS,
    "/ivp/meters": _READINGS,
    "/ivp/meters/readings": _READINGS,
    "/ivp/meters/reports": _READINGS,
    "/ivp/livedata/status": _READINGS,
    "/ivp/ensemble/power": _READINGS,
    "/ivp/ensemble/secctrl": _READINGS,
    "/ivp/ensemble/relay": _WORDS,
    "/ivp/sc/sched": _WORDS,
    "/ivp/ss/gen_mode": _WORDS,
    "/admin/lib/tariff": _READINGS,
    "/ivp/ensemble/generator": _WORDS,
    "/ivp/ensemble/dry_contacts": _WORDS,
    "/ivp/ss/dry_contact_settings": _WORDS,
    "/api/v1/production": _READINGS,
    "/production.json": _READINGS,
}


def limit_of(path: str) -> int:
    """Return the maximum size of the answer of a path in bytes, after decompression."""
    return _LIMITS.get(f"/{path.partition('?')[0].strip('/')}", MAX_BODY)


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """A complete answer."""

    status: int
    #: The value of the session cookie, if the answer sets it.
    session_id: str | None
    body: bytes


class Connection(SessionHolder):
    """Connections to a gateway with its trusted certificate.

    For the options, see `Gateway`.
    """

    def __init__(
        self,
        host: str,
        cert_file: str | os.PathLike[str] | None,
        certificate: str | None,
        session: aiohttp.ClientSession | None,
        *,
        insecure: bool,
    ) -> None:
        super().__init__(session)
        self._url = parse_host(host)
        self._cert_file = None if certificate is not None else cert_file
        self._certificate = None if certificate is None else Certificate.from_pem(certificate)
        self._is_insecure = insecure
        self._context: GatewayContext | None = None

    @property
    def host(self) -> str:
        """The gateway's address, such as "https://envoy.local"."""
        return str(self._url)

    @property
    def certificate(self) -> Certificate | None:
        """The trusted certificate, once read; a renewed one, once the gateway has shown it."""
        return self._certificate

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        *,
        secret: bool = True,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout | None = None,
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and yield its response; all requests of this client are sent here.

        Only a request without anything `secret` can be sent to a gateway that is not trusted yet.
        """
        # Joined as text, so that no path can change the host.
        url = URL(f"{self.host}/{path.lstrip('/')}")
        options |= {
            "headers": {**_HEADERS, **(headers or {})},
            "timeout": timeout or TIMEOUT,
            # A redirect would send the secret to another host.
            "allow_redirects": False,
            # No proxy, whatever the environment has: the gateway is on the local network.
            "proxy": "",
        }
        context = await self._trusted_context(secret)
        if context is not self._context:
            # A connection for /info is not used for other requests.
            options["headers"]["Connection"] = "close"
        async with self._session() as session:
            try:
                with translate_errors(str(self._url.host), path):
                    try:
                        response = await session.request(method, url, ssl=context, **options)
                    except aiohttp.ClientConnectorCertificateError:
                        await self._note_renewal()
                        context = await self._trusted_context(secret)
                        response = await session.request(method, url, ssl=context, **options)
                    async with response:
                        try:
                            yield response
                        finally:
                            _hang_up(response)
            except CommunicationError:
                if not context.was_flooded:
                    raise
            # An answer without length ends with the connection, so a truncated one can look complete.
            if context.was_flooded:
                raise InvalidAnswerError(f"the answer of {path} has no end", path=path)

    async def _ask(self, method: str, path: str, **options: Any) -> Answer:
        """Send a request and read the complete answer."""
        async with self._open(method, path, **options) as response:
            return Answer(
                status=response.status,
                session_id=cookies_of(response).get(SESSION_COOKIE),
                body=await read_body(response, path, limit_of(path)),
            )

    async def _trusted_context(self, secret: bool) -> GatewayContext:
        """Return the TLS context of this client, which is created for its first secret.

        Before that, an answer may only be as long as that of /info. Raises NotTrustedError for a secret while
        no certificate is trusted.
        """
        if self._context is not None:
            return self._context
        if self._is_insecure:
            context = unverified_context(for_first_words=not secret)
        elif (certificate := await self._read_certificate()) is not None:
            context = certificate.ssl_context(for_first_words=not secret)
        elif secret:
            raise NotTrustedError(
                "no certificate of this gateway is trusted yet, so no token was sent: "
                "call Gateway.trust_gateway first, and compare the fingerprint that it returns"
            )
        else:
            context = unverified_context(for_first_words=True)
        if secret:
            if self._certificate is not None and self._certificate.is_expired:
                _LOGGER.warning(
                    "%s: the trusted certificate expired on %s; its key remains trusted",
                    self._certificate.gateway,
                    self._certificate.not_after.date(),
                )
            self._context = context
        return context

    async def _read_certificate(self) -> Certificate | None:
        """Return the trusted certificate, read from its file on first use."""
        if self._certificate is None and self._cert_file is not None:
            self._certificate = await asyncio.to_thread(read_certificate, self._cert_file)
        return self._certificate

    async def _note_renewal(self) -> None:
        """Trust the certificate that is shown now, if it has the key of the trusted one.

        Only the owner of a key can use a certificate of it. Raises CertificateChangedError for another key.
        """
        shown = await fetch_certificate(self.host)
        trusted = self._certificate
        if trusted is None or shown.key_fingerprint != trusted.key_fingerprint:
            raise CertificateChangedError(
                trusted=trusted.fingerprint if trusted is not None else "",
                shown=shown.fingerprint,
                shown_pem=shown.pem,
            )
        _LOGGER.info(
            "%s has renewed its certificate, same key: SHA-256 %s", trusted.gateway, shown.fingerprint
        )
        self._certificate, self._context = shown, None
        if self._cert_file is not None:
            try:
                await asyncio.to_thread(write_private, self._cert_file, shown.pem)
            except OSError as error:
                _LOGGER.warning(
                    "%s: could not store the renewed certificate: %s", self._cert_file, error.strerror
                )


async def fetch_plain(url: URL, path: str) -> bytes:
    """Return the answer of a path by plain http, up to the size limit of the path.

    It is read without a parser that an untrusted host could keep busy. Raises OSError if there is none.
    """
    limit, answer, end = limit_of(path), bytearray(), b"</envoy_info>"
    async with asyncio.timeout(_PLAIN_TIMEOUT):
        reader, writer = await asyncio.open_connection(url.host, url.with_scheme("http").port)
        try:
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {url.raw_host}\r\nAccept: */*\r\n\r\n".encode())
            while len(answer) <= limit and (part := await reader.read(limit)):
                answer += part
                # Some hosts keep the connection open.
                if answer.find(end, len(answer) - len(part) - len(end)) >= 0:
                    break
        finally:
            writer.transport.abort()
    return bytes(answer.partition(b"\r\n\r\n")[2])


def _hang_up(response: aiohttp.ClientResponse) -> None:
    """Abort a connection whose answer was not read completely, such as that of a stream."""
    # A regular TLS shutdown would wait half a minute for the gateway.
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
