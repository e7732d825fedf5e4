"""The gateway's self-signed certificate: renewed twice a year, with a key derived from a seed."""

from __future__ import annotations

import hashlib
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALIDITY = timedelta(days=365)
#: How long the simulator starts with the same certificate.
_PERIOD = timedelta(days=180)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Order of the group of P-256: private keys are numbers below it.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def key_from_seed(*seed: object) -> ec.EllipticCurvePrivateKey:
    """Return a P-256 key derived from the words, so that a restarted simulator is recognised.

    Anyone who knows the words can derive the key: it protects nothing.
    """
    digest = hashlib.sha256(" ".join(map(str, seed)).encode()).digest()
    return ec.derive_private_key(int.from_bytes(digest, "big") % (_P256_ORDER - 1) + 1, ec.SECP256R1())


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as PEM text."""

    pem: str
    key_pem: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the certificate, as "AB:CD:…"."""
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.pem)).digest()
        return ":".join(f"{byte:02X}" for byte in digest)

    def server_context(self) -> ssl.SSLContext:
        """TLS settings for a server that shows this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # OpenSSL reads a chain from files only.
        with tempfile.TemporaryDirectory(prefix="enphase-simulator-") as folder:
            file = Path(folder) / "gateway.pem"
            file.touch(mode=0o600)
            file.write_text(self.pem + self.key_pem, encoding="ascii")
            context.load_cert_chain(file)
        return context


def make_certificate(
    common_name: str,
    key: ec.EllipticCurvePrivateKey,
    not_before: datetime | None = None,
    extensions: bool = True,
    for_clients: bool = False,
) -> Certificate:
    """Return a self-signed certificate for `common_name`, valid for 365 days from `not_before`.

    One `for_clients` is no server's, so that nobody can connect to who shows it.

    Without `not_before` it is some months old at most, and the very same one at every start in these months.
    """
    begin = not_before or _EPOCH + (datetime.now(UTC) - _EPOCH) // _PERIOD * _PERIOD
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    number = hashlib.sha256(f"{common_name} {begin.isoformat()} {extensions} {for_clients}".encode()).digest()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(number[:8], "big") | 1)
        .not_valid_before(begin)
        .not_valid_after(begin + VALIDITY)
    )
    if extensions:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(common_name), x509.DNSName("envoy.local")]),
            critical=False,
        )
    if for_clients:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(usage, critical=True)
    certificate = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )
