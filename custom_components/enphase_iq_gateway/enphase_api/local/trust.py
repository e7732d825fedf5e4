"""The gateway's certificate: fetch it to show it, trust that one alone, tell a renewal from a stranger."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from yarl import URL

from ..exceptions import CertificateError, CommunicationError, Silence, UnusableCertificateError
from ..http import parse_host, silence_of
from ..values import printable

#: Seconds to wait for a certificate.
_TIMEOUT = 10

#: OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name: the pin is the trust, not the date. A
#: gateway renews its certificate about yearly, and a day late must not stop an owner's readings.
_NO_CHECK_TIME = 0x200000

#: OpenSSL's verify codes of a certificate that is another than the trusted one.
_ANOTHER = {18, 19, 20, 21}

#: "envoy-122333444455", or the serial number alone.
_SERIAL_IN_NAME = re.compile(r"(?:envoy-)?([0-9]{12})")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A gateway's certificate, as shown to its owner."""

    pem: str
    #: SHA-256 of the certificate, as "AB:CD:…".
    fingerprint: str
    #: SHA-256 of its public key: a renewal keeps it.
    key_fingerprint: str
    #: The common name, such as "envoy-122333444455", or "" where it has none: at most 64 characters, all
    #: printable.
    subject: str
    not_before: datetime
    not_after: datetime

    @classmethod
    def from_pem(cls, pem: str) -> Self:
        """Read a certificate.

        Raises CertificateError where the text is none.
        """
        try:
            parsed = x509.load_pem_x509_certificate(pem.encode())
            names = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            key = parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            not_before, not_after = parsed.not_valid_before_utc, parsed.not_valid_after_utc
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
            raise CertificateError(
                "This is not a certificate in PEM form. Trust the gateway again."
            ) from error
        return cls(
            # Only this one: whatever else stood in the text is not to be trusted with it.
            pem=parsed.public_bytes(Encoding.PEM).decode("ascii"),
            fingerprint=_fingerprint(parsed.public_bytes(Encoding.DER)),
            key_fingerprint=_fingerprint(key),
            subject=printable(str(names[0].value)) if names else "",
            not_before=not_before,
            not_after=not_after,
        )

    @property
    def serial_number(self) -> str | None:
        """The gateway's serial number, where the certificate names it."""
        match = _SERIAL_IN_NAME.fullmatch(self.subject)
        return match[1] if match else None

    @property
    def is_expired(self) -> bool:
        """Whether its time has run out by this machine's clock; the pin holds all the same."""
        return self.not_after < datetime.now(UTC)

    def ssl_context(self) -> ssl.SSLContext:
        """Give a context that trusts this certificate and no other, whatever name or date it bears.

        Make one for each client and keep it: connections are reused by context. Raises CertificateError
        where nobody could prove to be the one that it names.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Owners reach a gateway by address, by envoy.local, or by their router's name for it.
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        try:
            context.load_verify_locations(cadata=self.pem)
        except ssl.SSLError as error:
            raise CertificateError(
                "This certificate is damaged: its key or signature cannot be used. Trust the gateway again."
            ) from error
        return context


def unverified_context() -> ssl.SSLContext:
    """Give a context that believes anybody: to look at a certificate, never to send a secret."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def fetch_certificate(host: str) -> Certificate:
    """Return the certificate that a host shows now, without believing it.

    Raises InvalidHostError for an address that is none, CommunicationError where nobody answers with TLS,
    UnusableCertificateError where a client that trusts this certificate could not connect all the same.
    """
    url = parse_host(host)
    shown = Certificate.from_pem(ssl.DER_cert_to_PEM_cert(await _shown(url, unverified_context())))
    try:
        # As every request will: a key too short, or a purpose that is no server's, shows only now.
        await _shown(url, shown.ssl_context())
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _ANOTHER:
            raise CommunicationError(f"{url.host} changes its certificate just now. Try again.") from error
        raise UnusableCertificateError(
            f"{url.host} shows a certificate that cannot be trusted ({error.verify_message}): no connection "
            "can be made with it. Ask Enphase support for newer firmware."
        ) from error
    return shown


async def _shown(url: URL, context: ssl.SSLContext) -> bytes:
    """Return the certificate (DER) that a host shows in a handshake.

    Raises SSLCertVerificationError where the context does not accept it, else as `fetch_certificate` does.
    """
    try:
        async with asyncio.timeout(_TIMEOUT):
            _, writer = await asyncio.open_connection(url.host, url.port, ssl=context)
    except ssl.SSLCertVerificationError:
        raise
    except ssl.SSLError as error:
        raise CommunicationError(
            f"{url.host} answers, but not with https. Is it the gateway?", reason=Silence.NO_TLS
        ) from error
    except (OSError, TimeoutError, UnicodeError) as error:
        raise CommunicationError(
            f"{url.host} does not answer on port {url.port}. "
            "Check the address, and that the gateway has power.",
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
    """Give the stored certificate, or None where none is stored.

    Raises CertificateError where the file holds none, or cannot be read.
    """
    try:
        return Certificate.from_pem(Path(cert_file).read_text("ascii", errors="replace"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CertificateError(f"{os.fspath(cert_file)}: cannot be read: {error.strerror}") from error
    except CertificateError as error:
        raise CertificateError(
            f"{os.fspath(cert_file)}: no certificate in it. Trust the gateway again."
        ) from error


def _fingerprint(data: bytes) -> str:
    return hashlib.sha256(data).digest().hex(":").upper()
