"""HTTPS to the gateway that its owner trusts, and nothing secret to any other."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from ..exceptions import CertificateChangedError, NotTrustedError
from ..http import SessionHolder, asking, forget_cookie, parse_host, read_body
from ..private_file import write_private_file
from .trust import Certificate, fetch_certificate, read_certificate, unverified_context

_LOGGER = logging.getLogger(__name__)

#: Seconds. The slowest page seen on a real gateway took 11.
TIMEOUT = aiohttp.ClientTimeout(total=45, sock_connect=10)

_HEADERS = {"Accept": "application/json"}

SESSION_COOKIE = "sessionId"


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """One answer, read to its end."""

    status: int
    #: The value of the session's cookie, where the answer sets it.
    session_id: str | None
    body: bytes


class Connection(SessionHolder):
    """A gateway's address and the one certificate that is trusted there.

    `Gateway` says what the options mean.
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
        self._context = unverified_context() if insecure else None

    @property
    def host(self) -> str:
        """The gateway's address, such as "https://envoy.local"."""
        return str(self._url)

    @property
    def certificate(self) -> Certificate | None:
        """The trusted certificate, once it is known; a renewed one once the gateway has shown it."""
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
        """Send one request and give its response; every request of this client goes through here.

        Only a request that holds nothing `secret` may go to a gateway that is not trusted yet.
        """
        # Joined as text: a path cannot name another host, whatever it holds.
        url = URL(f"{self.host}/{path.lstrip('/')}")
        options |= {
            "headers": {**_HEADERS, **(headers or {})},
            "timeout": timeout or TIMEOUT,
            # A redirect would carry the secret to where it points.
            "allow_redirects": False,
            # None, whatever the environment says: the gateway is next door.
            "proxy": "",
        }
        context = await self._trusted_context(secret)
        async with self._session() as session:
            with asking(str(self._url.host), path):
                try:
                    response = await session.request(method, url, ssl=context, **options)
                except aiohttp.ClientConnectorCertificateError:
                    context = await self._renewed_context()
                    response = await session.request(method, url, ssl=context, **options)
                async with response:
                    forget_cookie(session, response, SESSION_COOKIE)
                    try:
                        yield response
                    finally:
                        _hang_up(response)

    async def _ask(self, method: str, path: str, **options: Any) -> Answer:
        """Send one request and read its answer to the end."""
        async with self._open(method, path, **options) as response:
            cookie = response.cookies.get(SESSION_COOKIE)
            return Answer(
                status=response.status,
                session_id=cookie.value if cookie is not None else None,
                body=await read_body(response, path),
            )

    async def _trusted_context(self, secret: bool) -> ssl.SSLContext:
        """Give the one context of this client, made on first use.

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
        """Give a context for the certificate shown now, where it is the trusted one renewed with its key.

        Only who holds a key can show a certificate of it. Raises CertificateChangedError for another key.
        """
        shown = await fetch_certificate(self.host)
        trusted = self._certificate
        if trusted is None or shown.key_fingerprint != trusted.key_fingerprint:
            raise CertificateChangedError(
                trusted=trusted.fingerprint if trusted is not None else "",
                shown=shown.fingerprint,
                shown_pem=shown.pem,
            )
        _LOGGER.info("The gateway has renewed its certificate, same key: SHA-256 %s", shown.fingerprint)
        self._certificate = shown
        self._context = shown.ssl_context()
        if self._cert_file is not None:
            try:
                await asyncio.to_thread(write_private_file, self._cert_file, shown.pem)
            except OSError as error:
                _LOGGER.warning(
                    "%s: could not store the renewed certificate: %s", self._cert_file, error.strerror
                )
        return self._context


def _hang_up(response: aiohttp.ClientResponse) -> None:
    """Drop a connection whose answer was not read to its end, such as a stream's."""
    # Closed in TLS's own way it would wait half a minute for the gateway's farewell.
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
