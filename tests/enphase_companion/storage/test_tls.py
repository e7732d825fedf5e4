"""A MariaDB elsewhere: the connection is encrypted, and only to the server whose certificate is named."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from enphase_companion.running.errors import SettingsError
from enphase_companion.storage import Database, StorageError, UnavailableError
from tests.services.mariadb import execute, new_database, running

from .conftest import VIENNA, message

pytestmark = pytest.mark.services


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return files


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server that wants TLS, and shows the certificate in server.pem."""
    folder = tmp_path / "server"
    folder.mkdir()
    shown, key = certificate(tmp_path, "server")
    with (
        running(folder, (f"--ssl-cert={shown}", f"--ssl-key={key}")) as mariadb,
        new_database(mariadb.url) as url,
    ):
        execute(url, "CREATE USER guarded IDENTIFIED BY 'a secret' REQUIRE SSL")
        execute(url, f"GRANT ALL ON {url.database}.* TO guarded")
        yield url.set(username="guarded", password="a secret").render_as_string(hide_password=False)


async def test_only_the_certificate_that_is_named_is_trusted(server: str, tmp_path: Path) -> None:
    async with Database(f"{server}?ssl_ca={tmp_path}/server.pem", VIENNA) as database:
        await database.upgrade()
        await database.write([message(0)])
        assert await database.gateways() == ["122300000001"]

    certificate(tmp_path, "another")
    async with Database(f"{server}?ssl_ca={tmp_path}/another.pem", VIENNA) as database:
        with pytest.raises(StorageError, match="certificate is not the one that ssl_ca names") as error:
            await database.gateways()
        assert not isinstance(error.value, UnavailableError)
    with pytest.raises(SettingsError, match="ssl_ca"):
        Database(f"{server}?ssl_ca={tmp_path}/missing.pem")
