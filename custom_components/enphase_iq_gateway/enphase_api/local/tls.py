"""TLS to a gateway: the key is verified in the handshake, and an unverified peer can send only a little.

The peer may be any device: this module runs before anything that it sends is trusted.
"""

from __future__ import annotations

import hashlib
import ssl
from contextlib import suppress
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

#: The errors of cryptography for an unreadable certificate; TypeError if a name is not a text.
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)

#: Bytes that a connection may receive before a login: /info (64 kB at most) with its headers. Without a
#: limit, endless "100 Continue" or chunks of one byte would keep this machine busy.
_FIRST_WORDS = 96_000

#: OpenSSL's X509_V_ERR_APPLICATION_VERIFICATION.
ANOTHER_KEY = 50


def fingerprint(data: bytes) -> str:
    """Return the SHA-256 as "AB:CD:…"."""
    return hashlib.sha256(data).digest().hex(":").upper()


def key_fingerprint(certificate: x509.Certificate) -> str:
    """Return the fingerprint of the public key (SubjectPublicKeyInfo).

    Raises one of `UNREADABLE` for a key of an unknown kind.
    """
    key = certificate.public_key()
    return fingerprint(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


class GatewayConnection(ssl.SSLObject):
    """A connection that verifies the key of the peer, as its context requires."""

    def do_handshake(self) -> None:
        """Do the handshake; raise SSLCertVerificationError if the peer has another key than the wanted one.

        No byte of a request is sent before this returns. If the trusted certificate may sign others, OpenSSL
        also accepts the certificates that it signed, which have other keys.
        """
        super().do_handshake()
        wanted = self.context.wanted_key if isinstance(self.context, GatewayContext) else None
        if wanted is not None and self._shown_key() != wanted:
            error = ssl.SSLCertVerificationError(1, "the certificate has another key than the trusted one")
            error.verify_code, error.verify_message = ANOTHER_KEY, "another key than the trusted one"
            raise error

    def unwrap(self) -> Any:
        """End the connection without waiting for the peer, which can take half a minute."""
        with suppress(ssl.SSLWantReadError):
            super().unwrap()

    def _shown_key(self) -> str | None:
        try:
            return key_fingerprint(x509.load_der_x509_certificate(self.getpeercert(binary_form=True) or b""))
        except UNREADABLE:
            return None


class FirstWords(GatewayConnection):
    """A connection for /info only."""

    _received = 0

    def read(self, *args: Any, **options: Any) -> Any:
        """Read; raise SSLError once more was received than any /info has."""
        data: Any = super().read(*args, **options)
        # With a buffer as argument, the number of bytes is returned.
        self._received += data if isinstance(data, int) else len(data)
        if self._received > _FIRST_WORDS:
            if isinstance(self.context, GatewayContext):
                self.context.was_flooded = True
            raise ssl.SSLError(1, "more bytes than /info has")
        return data


class GatewayContext(ssl.SSLContext):
    """A context for a client of a gateway; set the attributes after its creation."""

    sslobject_class = GatewayConnection

    #: `key_fingerprint` of the trusted certificate; None: any is accepted.
    wanted_key: str | None = None
    #: Whether a connection for /info received too much.
    was_flooded = False

    def __init__(self, *_: object) -> None:
        # Users reach a gateway by its address, by envoy.local, or by a name of their router.
        self.check_hostname = False
        # A peer that chooses the DH parameters could keep this machine busy for a second per handshake.
        self.set_ciphers("DEFAULT:!DHE:!PSK:!SRP")


def client_context(*, for_first_words: bool = False) -> GatewayContext:
    """Return a context that trusts no certificate yet."""
    context = GatewayContext(ssl.PROTOCOL_TLS_CLIENT)
    if for_first_words:
        context.sslobject_class = FirstWords
    return context


def unverified_context(*, for_first_words: bool = False) -> GatewayContext:
    """Return a context that accepts any certificate: to fetch one, never to send a secret."""
    context = client_context(for_first_words=for_first_words)
    context.verify_mode = ssl.CERT_NONE
    return context
