"""The gateway's certificate: fetch it, trust only it, and distinguish a renewal from another device."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from yarl import URL

from ..exceptions import CertificateError, CommunicationError, Silence, UnusableCertificateError
from ..http import parse_host, silence_of
from ..json_values import printable
from .tls import (
    ANOTHER_KEY,
    UNREADABLE,
    GatewayContext,
    client_context,
    fingerprint,
    key_fingerprint,
    unverified_context,
)

#: Seconds to wait for a certificate.
_TIMEOUT = 10

#: OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not define: the key is trusted, whatever the date. A
#: gateway renews its certificate about yearly; a renewal that is a day late must not stop the readings.
_NO_CHECK_TIME = 0x200000

#: OpenSSL's verify codes for another certificate than the trusted one.
_ANOTHER = {18, 19, 20, 21, ANOTHER_KEY}

#: Bytes; a gateway's certificate has some 600.
_MAX_CERTIFICATE = 8_192

#: "envoy-122333444455", or the serial number alone.
_SERIAL_IN_NAME = re.compile(r"(?:envoy-)?([0-9]{12})")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A gateway's certificate, as shown to its owner."""

    pem: str
    #: SHA-256 of the certificate, as "AB:CD:…".
    fingerprint: str
    #: SHA-256 of its public key, which a renewal keeps.
    key_fingerprint: str
    #: The common name, such as "envoy-122333444455", or "": at most 64 printable characters.
    subject: str
    #: UTC, from which on it is valid.
    not_before: datetime
    #: UTC, until which it is valid.
    not_after: datetime

    @classmethod
    def from_pem(cls, pem: str) -> Self:
        """Parse a certificate.

        Raises CertificateError if it is invalid.
        """
        try:
            return cls._from_parsed(x509.load_pem_x509_certificate(pem.encode()))
        except UNREADABLE as error:
            raise CertificateError("not a certificate in PEM format: trust the gateway again") from error

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        """Parse the certificate that a peer showed.

        Raises UnusableCertificateError if it is invalid, or larger than any gateway's.
        """
        if len(der) > _MAX_CERTIFICATE:
            raise UnusableCertificateError(
                f"the certificate that was shown has {len(der)} bytes, more than a gateway's: "
                "check that the address is the gateway's"
            )
        try:
            return cls._from_parsed(x509.load_der_x509_certificate(der))
        except UNREADABLE:
            # Without the cause, which could contain untrusted text.
            raise UnusableCertificateError(
                "the certificate that was shown cannot be read: check that the address is the gateway's"
            ) from None

    @classmethod
    def _from_parsed(cls, parsed: x509.Certificate) -> Self:
        names = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return cls(
            # Only this certificate: the text may contain others, which must not be trusted.
            pem=parsed.public_bytes(Encoding.PEM).decode("ascii"),
            fingerprint=fingerprint(parsed.public_bytes(Encoding.DER)),
            key_fingerprint=key_fingerprint(parsed),
            subject=printable(str(names[0].value)) if names else "",
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
        )

    @property
    def serial_number(self) -> str | None:
        """The gateway's serial number, if the certificate has it."""
        match = _SERIAL_IN_NAME.fullmatch(self.subject)
        return match[1] if match else None

    @property
    def is_expired(self) -> bool:
        """Whether it has expired by the clock of this machine; its key remains trusted."""
        return self.not_after < datetime.now(UTC)

    @property
    def gateway(self) -> str:
        """The gateway's name for the log, with the last four digits of its serial number."""
        return "The gateway" if self.serial_number is None else f"Gateway …{self.serial_number[-4:]}"

    def ssl_context(self, *, for_first_words: bool = False) -> GatewayContext:
        """Return a context that trusts only this certificate, whatever its name or date.

        Keep one for each client: connections are reused by context. One `for_first_words` is for /info only.
        Raises CertificateError if its key or signature is damaged.
        """
        context = client_context(for_first_words=for_first_words)
        context.wanted_key = self.key_fingerprint
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        try:
            context.load_verify_locations(cadata=self.pem)
        except ssl.SSLError as error:
            raise CertificateError(
                "the certificate is damaged (its key or signature cannot be used): trust the gateway again"
            ) from error
        return context


async def fetch_certificate(host: str) -> Certificate:
    """Return the certificate that a host shows now, without trusting it.

    Raises InvalidHostError for an invalid address, CommunicationError if nothing answers with TLS,
    UnusableCertificateError if a client could not connect although it trusts this certificate.
    """
    url = parse_host(host)
    shown = Certificate.from_der(await _fetch_shown(url, unverified_context(for_first_words=True)))
    try:
        # Connect like every request: this reveals a short key, or a certificate that is not for servers.
        await _fetch_shown(url, shown.ssl_context(for_first_words=True))
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _ANOTHER:
            raise CommunicationError(
                f"{url.host} changed its certificate between two connections: try again"
            ) from error
        raise UnusableCertificateError(
            f"{url.host} shows a certificate that cannot be trusted ({printable(error.verify_message)}), "
            "so that no connection is possible: ask Enphase support for newer firmware"
        ) from error
    return shown


async def _fetch_shown(url: URL, context: ssl.SSLContext) -> bytes:
    """Return the certificate (DER) that a host shows in a handshake.

    Raises SSLCertVerificationError if the context rejects it, else as `fetch_certificate` does.
    """
    try:
        async with asyncio.timeout(_TIMEOUT):
            _, writer = await asyncio.open_connection(url.host, url.port, ssl=context)
    except ssl.SSLCertVerificationError:
        raise
    except ssl.SSLError as error:
        raise CommunicationError(
            f"{url.host} answers, but not with https: check that it is the gateway", reason=Silence.NO_TLS
        ) from error
    except (OSError, TimeoutError, UnicodeError) as error:
        raise CommunicationError(
            f"{url.host} does not answer on port {url.port}: "
            "check the address, and that the gateway has power",
            reason=silence_of(error),
        ) from error
    try:
        der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_TIMEOUT):
                await writer.wait_closed()
    return der


def read_certificate(cert_file: str | os.PathLike[str]) -> Certificate | None:
    """Return the stored certificate, or None.

    Raises CertificateError if the file contains none, or cannot be read.
    """
    try:
        return Certificate.from_pem(Path(cert_file).read_text("ascii", errors="replace"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CertificateError(f"{os.fspath(cert_file)}: cannot be read: {error.strerror}") from error
    except CertificateError as error:
        raise CertificateError(
            f"{os.fspath(cert_file)}: contains no certificate: trust the gateway again"
        ) from error
