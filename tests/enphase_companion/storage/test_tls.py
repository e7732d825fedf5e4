"""A remote MariaDB: TLS, authentication plugins and the errors of a failed login."""

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
from sqlalchemy import make_url

from enphase_companion.runtime.errors import SettingsError
from enphase_companion.storage import Database, StorageError, UnavailableError
from tests.services.mariadb import create_database, execute, running

from .conftest import VIENNA, build_message

pytestmark = pytest.mark.services


def create_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Create a self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signed = (
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
    files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
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
    """Yield the URL of a server that requires TLS and presents the certificate in server.pem."""
    folder = tmp_path / "server"
    folder.mkdir()
    public, key = create_certificate(tmp_path, "server")
    options = (f"--ssl-cert={public}", f"--ssl-key={key}", "--plugin-load-add=auth_ed25519;auth_pam")
    with (
        running(folder, (*options, "--pam-use-cleartext-plugin")) as mariadb,
        create_database(mariadb.url) as url,
    ):
        execute(url, "CREATE USER guarded IDENTIFIED BY 'a secret' REQUIRE SSL")
        execute(url, f"GRANT ALL ON {url.database}.* TO guarded")
        yield url.set(username="guarded", password="a secret").render_as_string(hide_password=False)


async def test_only_a_certificate_in_ssl_ca_is_trusted(server: str, tmp_path: Path) -> None:
    async with Database(f"{server}?ssl_ca={tmp_path}/server.pem", VIENNA) as database:
        await database.upgrade()
        await database.write([build_message(0)])
        assert await database.gateways() == ["122300000001"]

    create_certificate(tmp_path, "another")
    async with Database(f"{server}?ssl_ca={tmp_path}/another.pem", VIENNA) as database:
        with pytest.raises(StorageError, match="certificate is not trusted by ssl_ca") as error:
            await database.gateways()
        assert not isinstance(error.value, UnavailableError)
    with pytest.raises(SettingsError, match="ssl_ca"):
        Database(f"{server}?ssl_ca={tmp_path}/missing.pem")


async def test_the_error_of_a_user_who_requires_tls_names_the_setting(server: str) -> None:
    async with Database(server) as database:
        with pytest.raises(
            StorageError, match=r"requires TLS for this user: add \?ssl_ca=FILE to database_url"
        ) as error:
            await database.upgrade()
    assert not isinstance(error.value, UnavailableError)
    assert "a secret" not in str(error.value)


async def test_ssl_required_encrypts_without_verifying_the_server(server: str) -> None:
    async with Database(f"{server}?ssl=required", VIENNA) as database:
        await database.upgrade()
        found = await database._transactions.read(
            lambda connection: connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        )
        assert "TLS_" in str(found.one())
    with pytest.raises(SettingsError, match="only value of ssl is required"):
        Database(f"{server}?ssl=off")


@pytest.mark.parametrize("option", ["ssl=required", "ssl_ca={folder}/server.pem"])
async def test_nothing_is_sent_to_a_server_without_tls_if_tls_is_required(
    tmp_path: Path, option: str
) -> None:
    """The driver alone would continue unencrypted."""
    create_certificate(tmp_path, "server")
    folder = tmp_path / "plain"
    folder.mkdir()
    with running(folder, ("--skip-ssl",)) as mariadb, create_database(mariadb.url) as url:
        url_with_tls = f"{url.render_as_string(hide_password=False)}?{option.format(folder=tmp_path)}"
        async with Database(url_with_tls, VIENNA) as database:
            with pytest.raises(StorageError, match="offers no TLS") as error:
                await database.upgrade()
        assert not isinstance(error.value, UnavailableError)


async def test_the_error_of_an_unsupported_plugin_names_a_supported_one(server: str) -> None:
    execute(
        make_url(server).set(username="root", password=""),
        "CREATE USER signed IDENTIFIED VIA ed25519 USING PASSWORD('a secret')",
    )
    async with Database(server.replace("guarded", "signed")) as database:
        for _ in range(2):
            with pytest.raises(
                StorageError, match=r"via client_ed25519, which is not supported.*via mysql_native_password"
            ) as error:
                await database.upgrade()
            assert not isinstance(error.value, UnavailableError)


async def test_a_clear_text_password_is_sent_only_to_a_verified_server(server: str, tmp_path: Path) -> None:
    execute(make_url(server).set(username="root", password=""), "CREATE USER open IDENTIFIED VIA pam")
    url = server.replace("guarded", "open")
    for option in ("", "?ssl=required"):
        async with Database(url + option) as database:
            with pytest.raises(StorageError, match="password in clear text: verify the server by ssl_ca"):
                await database.upgrade()
    async with Database(f"{url}?ssl_ca={tmp_path}/server.pem") as database:
        with pytest.raises(StorageError, match="refuses user name or password"):
            await database.upgrade()
