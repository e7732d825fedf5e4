"""A MariaDB elsewhere: how the connection is protected, and what keeps a user from being let in."""

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
    """Yield the address of a server that wants TLS, and shows the certificate in server.pem."""
    folder = tmp_path / "server"
    folder.mkdir()
    shown, key = certificate(tmp_path, "server")
    options = (f"--ssl-cert={shown}", f"--ssl-key={key}", "--plugin-load-add=auth_ed25519;auth_pam")
    with (
        running(folder, (*options, "--pam-use-cleartext-plugin")) as mariadb,
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
        with pytest.raises(StorageError, match="certificate is not trusted by ssl_ca") as error:
            await database.gateways()
        assert not isinstance(error.value, UnavailableError)
    with pytest.raises(SettingsError, match="ssl_ca"):
        Database(f"{server}?ssl_ca={tmp_path}/missing.pem")


async def test_a_user_who_must_come_encrypted_is_told_how(server: str) -> None:
    async with Database(server) as database:
        with pytest.raises(
            StorageError, match=r"requires TLS for this user: add \?ssl_ca=FILE to database_url"
        ) as error:
            await database.upgrade()
    assert not isinstance(error.value, UnavailableError)
    assert "a secret" not in str(error.value)


async def test_ssl_required_encrypts_to_whatever_server_answers(server: str) -> None:
    async with Database(f"{server}?ssl=required", VIENNA) as database:
        await database.upgrade()
        found = await database._transactions.read(
            lambda connection: connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        )
        assert "TLS_" in str(found.one())
    with pytest.raises(SettingsError, match="only value of ssl is required"):
        Database(f"{server}?ssl=off")


@pytest.mark.parametrize("option", ["ssl=required", "ssl_ca={folder}/server.pem"])
async def test_where_tls_is_wanted_a_server_without_it_gets_nothing(tmp_path: Path, option: str) -> None:
    """The driver alone would go on unencrypted."""
    certificate(tmp_path, "server")
    folder = tmp_path / "plain"
    folder.mkdir()
    with running(folder, ("--skip-ssl",)) as mariadb, new_database(mariadb.url) as url:
        named = f"{url.render_as_string(hide_password=False)}?{option.format(folder=tmp_path)}"
        async with Database(named, VIENNA) as database:
            with pytest.raises(StorageError, match="offers no TLS") as error:
                await database.upgrade()
        assert not isinstance(error.value, UnavailableError)


async def test_a_user_of_a_plugin_that_is_not_known_is_told_which_are(server: str) -> None:
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


async def test_a_password_goes_in_clear_only_to_the_server_that_is_named(server: str, tmp_path: Path) -> None:
    execute(make_url(server).set(username="root", password=""), "CREATE USER open IDENTIFIED VIA pam")
    url = server.replace("guarded", "open")
    for option in ("", "?ssl=required"):
        async with Database(url + option) as database:
            with pytest.raises(StorageError, match="password in clear text: verify the server by ssl_ca"):
                await database.upgrade()
    async with Database(f"{url}?ssl_ca={tmp_path}/server.pem") as database:
        with pytest.raises(StorageError, match="refuses user name or password"):
            await database.upgrade()
