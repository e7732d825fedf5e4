"""Any text as a certificate or an address is parsed or raises an error of this client."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from enphase_api import CertificateError, InvalidHostError, UnusableCertificateError
from enphase_api.http import parse_host
from enphase_api.local import Certificate
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.certificate import key_from_seed

from ..servers import sign_certificate

PEM = Simulator("no-meters").certificate_pem
DER = ssl.PEM_cert_to_DER_cert(PEM)


@given(
    st.text()
    | st.text().map(lambda inner: f"-----BEGIN CERTIFICATE-----\n{inner}\n-----END CERTIFICATE-----")
)
def test_any_text_is_a_certificate_or_an_error_of_this_client(text: str) -> None:
    with suppress(CertificateError):
        Certificate.from_pem(text)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(DER) - 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_certificate_with_changed_bytes_is_read_completely_or_rejected(
    changes: list[tuple[int, int]],
) -> None:
    der = bytearray(DER)
    for place, byte in changes:
        der[place] = byte
    try:
        certificate = Certificate.from_pem(ssl.DER_cert_to_PEM_cert(bytes(der)))
    except CertificateError:
        return
    assert ssl.PEM_cert_to_DER_cert(certificate.pem) == bytes(der)
    assert (certificate.fingerprint == Certificate.from_pem(PEM).fingerprint) is (bytes(der) == DER)
    with suppress(CertificateError):
        certificate.ssl_context()
    assert certificate.serial_number is None or len(certificate.serial_number) == 12


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP521R1()),
        ec.generate_private_key(ec.BrainpoolP256R1()),
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
        x25519.X25519PrivateKey.generate(),
    ],
    ids=["P-521", "Brainpool", "RSA", "Ed25519", "X25519"],
)
def test_a_certificate_with_another_kind_of_key_is_read(key: Any) -> None:
    signed = sign_certificate("envoy", key.public_key(), key_from_seed("gateway"))
    assert Certificate.from_der(signed.public_bytes(Encoding.DER)).subject == "envoy"


def test_the_error_for_an_unusable_certificate_names_the_reason() -> None:
    der = bytearray(DER)
    # Invalid UTF-8, which only the TLS library detects.
    der[DER.index(b"1223")] = 255
    certificate = Certificate.from_pem(ssl.DER_cert_to_PEM_cert(bytes(der)))
    with pytest.raises(CertificateError, match="trust the gateway again"):
        certificate.ssl_context()


def test_a_certificate_whose_name_is_not_text_is_rejected() -> None:
    # The common name is a bit string.
    before, text, after = DER.rpartition(b"\x55\x04\x03\x0c\x0c1")
    der = before + b"\x55\x04\x03\x03\x0c\x00" + after
    assert text
    with pytest.raises(CertificateError):
        Certificate.from_pem(ssl.DER_cert_to_PEM_cert(der))
    with pytest.raises(UnusableCertificateError):
        Certificate.from_der(der)


@given(st.integers(0, len(PEM)), st.integers(0, len(PEM)))
def test_a_truncated_certificate_is_invalid(start: int, end: int) -> None:
    try:
        found = Certificate.from_pem(PEM[start:end])
    except CertificateError:
        return
    assert found.pem == PEM


@given(st.text() | st.text(alphabet="htps:/[]@.%?#0:19af envoy.local", max_size=40))
def test_any_text_is_an_https_address_or_an_error_of_this_client(text: str) -> None:
    try:
        url = parse_host(text)
    except InvalidHostError:
        return
    assert url.scheme == "https"
    assert url.host
    assert url.user is url.password is None
