"""TLS to a gateway: no further than the handshake with a stranger, and nobody unknown is heard without end.

Whoever answers may be anybody, and all of this runs before its first word is believed.
"""

from __future__ import annotations

import hashlib
import ssl
from contextlib import suppress
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

#: What cryptography raises for a certificate that it cannot read; TypeError for a name that is no text.
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)

#: Bytes that a connection may receive where nobody has logged in yet: /info (64 kB at most) with its headers.
#: Ever more "100 Continue" or chunks of one byte would else keep this machine busy as long as they come.
_FIRST_WORDS = 96_000

#: OpenSSL's X509_V_ERR_APPLICATION_VERIFICATION.
ANOTHER_KEY = 50


def fingerprint(data: bytes) -> str:
    """Return the SHA-256 as "AB:CD:…"."""
    return hashlib.sha256(data).digest().hex(":").upper()


def key_fingerprint(certificate: x509.Certificate) -> str:
    """Return the fingerprint of the public key itself (SubjectPublicKeyInfo).

    Raises one of `UNREADABLE` for a key of no known kind.
    """
    key = certificate.public_key()
    return fingerprint(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


class GatewayConnection(ssl.SSLObject):
    """One connection, guarded as its context says."""

    def do_handshake(self) -> None:
        """Shake hands; raises SSLCertVerificationError where the peer proves another key than the wanted.

        No byte of a request is written before this has returned. Where the trusted certificate may sign
        others, OpenSSL takes a certificate that it signed for as good: their keys are others.
        """
        super().do_handshake()
        wanted = self.context.wanted_key if isinstance(self.context, GatewayContext) else None
        if wanted is not None and self._shown_key() != wanted:
            error = ssl.SSLCertVerificationError(1, "the certificate has another key than the trusted one")
            error.verify_code, error.verify_message = ANOTHER_KEY, "another key than the trusted one"
            raise error

    def unwrap(self) -> Any:
        """End the connection without waiting for the peer's farewell, which can take half a minute."""
        with suppress(ssl.SSLWantReadError):
            super().unwrap()

    def _shown_key(self) -> str | None:
        try:
            return key_fingerprint(x509.load_der_x509_certificate(self.getpeercert(binary_form=True) or b""))
        except UNREADABLE:
            return None


class FirstWords(GatewayConnection):
    """A connection for /info alone."""

    _received = 0

    def read(self, *args: Any, **options: Any) -> Any:
        """Read; raises SSLError once more has been received than a gateway says of itself."""
        data: Any = super().read(*args, **options)
        # Where a buffer is given, it is filled, and the number of bytes is returned.
        self._received += data if isinstance(data, int) else len(data)
        if self._received > _FIRST_WORDS:
            if isinstance(self.context, GatewayContext):
                self.context.was_flooded = True
            raise ssl.SSLError(1, "more than a gateway says of itself")
        return data


class GatewayContext(ssl.SSLContext):
    """A context for a client of a gateway; set the attributes after it is made."""

    sslobject_class = GatewayConnection

    #: `key_fingerprint` of the one certificate that is trusted; None: any is taken.
    wanted_key: str | None = None
    #: Whether a connection for the first words received more than these.
    was_flooded = False

    def __init__(self, *_: object) -> None:
        # Owners reach a gateway by address, by envoy.local, or by their router's name for it.
        self.check_hostname = False
        # With parameters of its own choice, a peer could keep this machine at each handshake for a second.
        self.set_ciphers("DEFAULT:!DHE:!PSK:!SRP")


def client_context(*, for_first_words: bool = False) -> GatewayContext:
    """Return a context that trusts nobody yet."""
    context = GatewayContext(ssl.PROTOCOL_TLS_CLIENT)
    if for_first_words:
        context.sslobject_class = FirstWords
    return context


def unverified_context(*, for_first_words: bool = False) -> GatewayContext:
    """Return a context that believes anybody: to look at a certificate, never to send a secret."""
    context = client_context(for_first_words=for_first_words)
    context.verify_mode = ssl.CERT_NONE
    return context
