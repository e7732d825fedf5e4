"""Trust: no secret is sent to a certificate that the user has not seen."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from enphase_api import (
    CertificateChangedError,
    CertificateError,
    CommunicationError,
    InvalidHostError,
    NotTrustedError,
    Silence,
    UnusableCertificateError,
)
from enphase_api.http import silence_of
from enphase_api.local import Certificate, Gateway, fetch_certificate
from enphase_api.local.tls import GatewayConnection, unverified_context
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.certificate import Certificate as ShownCertificate
from enphase_companion.simulator.certificate import key_from_seed, make_certificate

from ..servers import (
    SERIAL_NUMBER,
    create_certificate,
    create_certificate_and_leaf,
    run_recorder,
    run_server,
    sign_certificate,
    to_pem,
)

TOKEN = "eyJ0b2tlbg.c2VjcmV0.c2lnbmF0dXJl"


async def test_no_token_is_sent_to_an_untrusted_gateway() -> None:
    async with run_recorder(create_certificate()) as server:
        gateway = Gateway(server.url)
        with pytest.raises(NotTrustedError, match=r"no token was sent: call Gateway\.trust_gateway first"):
            await gateway.login(TOKEN)
        with pytest.raises(NotTrustedError):
            await gateway.api_call("/ivp/meters")
        with pytest.raises(NotTrustedError):
            await gateway.login_oauth_code("code", "verifier")
        assert server.received == b""


async def test_no_token_is_sent_to_a_certificate_of_another_key() -> None:
    trusted, stranger = create_certificate(), create_certificate("stranger")
    async with run_recorder(stranger) as server, Gateway(server.url, certificate=trusted.pem) as gateway:
        with pytest.raises(CertificateChangedError) as caught:
            await gateway.login(TOKEN)
        with pytest.raises(CertificateChangedError):
            await gateway.info()
        assert server.received == b""
    assert caught.value.trusted == trusted.fingerprint
    assert caught.value.shown == stranger.fingerprint
    assert caught.value.shown_pem == stranger.pem
    assert not caught.value.retryable


async def test_no_token_is_sent_after_the_certificate_changed(logged_in: Gateway, sim: Simulator) -> None:
    before = sim.certificate_pem
    sim.renew_certificate(same_key=False)
    sim.requests.clear()
    with pytest.raises(CertificateChangedError, match="no secret was sent"):
        await logged_in.api_call("/ivp/meters")
    with pytest.raises(CertificateChangedError):
        await logged_in.login(sim.token())
    assert sim.requests == []
    assert logged_in.certificate is not None
    assert logged_in.certificate.pem == before


async def test_no_token_is_sent_to_a_stranger_with_the_same_name_and_another_key(sim: Simulator) -> None:
    shown = make_certificate(sim.serial_number, key_from_seed("stranger"))
    async with run_recorder(shown) as server, Gateway(server.url, certificate=sim.certificate_pem) as gateway:
        with pytest.raises(CertificateChangedError):
            await gateway.login(TOKEN)
        assert server.received == b""


async def test_a_renewal_with_the_same_key_is_accepted_and_stored(
    sim: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "gateway.cer"
    await Gateway.trust_gateway(sim.url, file)
    gateway = Gateway(sim.url, file)
    assert await gateway.login(sim.token())
    sim.renew_certificate()

    assert await gateway.meters()

    assert file.read_text() == sim.certificate_pem
    assert file.stat().st_mode & 0o777 == 0o600
    assert gateway.certificate is not None
    assert gateway.certificate.fingerprint == sim.fingerprint
    assert f"renewed its certificate, same key: SHA-256 {sim.fingerprint}" in caplog.text


async def test_the_log_names_a_gateway_by_its_last_four_digits(
    sim: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="enphase_api")
    sim.renew_certificate(expired=True)
    await Gateway.trust_gateway(sim.url, tmp_path / "gateway.cer")
    gateway = Gateway(sim.url, tmp_path / "gateway.cer")
    assert await gateway.login(sim.token())
    sim.renew_certificate()
    await gateway.info()
    await gateway.batteries()
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("enphase_api")]
    named = f"Gateway …{sim.serial_number[-4:]}"
    assert [line.partition(" certificate")[0] for line in messages if named in line] == [
        f"{named}: the trusted",
        f"{named} has renewed its",
    ]
    assert not [line for line in messages if sim.serial_number in line]


async def test_a_renewal_is_passed_to_a_caller_that_stores_the_certificate(
    logged_in: Gateway, sim: Simulator
) -> None:
    sim.renew_certificate()
    assert await logged_in.meters()
    assert logged_in.certificate is not None
    assert logged_in.certificate.pem == sim.certificate_pem


async def test_a_renewal_that_cannot_be_stored_is_a_warning_and_works(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "gateway.cer"
    await Gateway.trust_gateway(sim.url, file)

    def read_only(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("enphase_api.local.connection.write_private", read_only)
    gateway = Gateway(sim.url, file)
    sim.renew_certificate()
    assert await gateway.login(sim.token())
    assert "could not store the renewed certificate: Read-only file system" in caplog.text


async def test_an_expired_pinned_certificate_is_a_warning_and_works(
    sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    sim.renew_certificate(expired=True)
    async with Gateway(sim.url, certificate=sim.certificate_pem) as gateway:
        assert await gateway.login(sim.token())
        assert await gateway.meters()
    assert len([record for record in caplog.records if "expired on" in record.message]) == 1


async def test_a_certificate_from_tomorrow_works(sim: Simulator) -> None:
    # The gateway's or the local clock may be wrong: trust is the pinned key, not the date.
    shown = make_certificate(SERIAL_NUMBER, key_from_seed("gateway"), datetime.now(UTC) + timedelta(days=1))
    async with run_recorder(shown) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.login(TOKEN)


async def test_a_certificate_without_extensions_works(sim: Simulator) -> None:
    sim.renew_certificate(extensions=False)
    async with Gateway(sim.url, certificate=sim.certificate_pem) as gateway:
        assert await gateway.login(sim.token())


def create_issued_certificate() -> ShownCertificate:
    """Return a certificate that is not signed by its own key."""
    key, authority = key_from_seed("gateway"), key_from_seed("authority")
    signed = sign_certificate(SERIAL_NUMBER, key.public_key(), authority, issuer="Some authority")
    return replace(create_certificate(), pem=to_pem(signed))


async def test_trust_in_an_issued_certificate_does_not_include_its_issuer() -> None:
    shown = create_issued_certificate()
    async with run_recorder(shown) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.login(TOKEN)


async def test_only_the_first_certificate_of_a_file_is_trusted(sim: Simulator) -> None:
    stranger = create_certificate("stranger")
    async with run_recorder(stranger) as server:
        gateway = Gateway(server.url, certificate=sim.certificate_pem + stranger.pem)
        with pytest.raises(CertificateChangedError):
            await gateway.login(TOKEN)
        assert server.received == b""


async def test_insecure_turns_verification_off(sim: Simulator) -> None:
    async with Gateway(sim.url, insecure=True) as gateway:
        assert await gateway.login(sim.token())
        assert await gateway.meters()
        sim.renew_certificate(same_key=False)
        assert await gateway.meters()


@pytest.mark.parametrize("host", ["http://envoy.local", "http://127.0.0.1", "ws://envoy.local"])
def test_a_plain_http_address_is_rejected(host: str) -> None:
    with pytest.raises(InvalidHostError, match="must begin with https"):
        Gateway(host)


async def test_a_redirect_is_an_error_and_not_followed() -> None:
    shown = create_certificate()
    async with run_recorder() as elsewhere:
        answer = f"HTTP/1.1 307 Go\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n".encode()
        async with (
            run_recorder(shown, answer) as server,
            Gateway(server.url, certificate=shown.pem) as gateway,
        ):
            with pytest.raises(Exception, match="status 307"):
                await gateway.login(TOKEN)
        assert elsewhere.received == b""


@pytest.mark.parametrize(
    "path", ["//elsewhere.example/x", "https://elsewhere.example/x", "@elsewhere.example/", "../../x", ":1/x"]
)
async def test_no_path_leads_to_another_host(path: str) -> None:
    shown = create_certificate()
    async with run_recorder(shown) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.login(TOKEN)
        assert await gateway.api_call(path) == {}
        assert server.received.count(b"GET /") == 1
        assert server.received.count(b"Host: 127.0.0.1:") == 2


async def test_the_certificate_that_is_shown_is_the_one_that_is_fetched(sim: Simulator) -> None:
    shown = await fetch_certificate(sim.url)
    assert shown.pem == sim.certificate_pem
    assert shown.fingerprint == sim.fingerprint
    assert re.fullmatch(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", shown.fingerprint)
    assert (shown.subject, shown.serial_number) == (sim.serial_number, sim.serial_number)
    assert (shown.not_after - shown.not_before).days == 365
    assert not shown.is_expired


@pytest.mark.parametrize(
    ("name", "serial_number"),
    [("envoy-122300000001", "122300000001"), ("122300000001", "122300000001"), ("envoy.local", None)],
)
def test_the_serial_number_is_read_from_the_certificate_if_present(
    name: str, serial_number: str | None
) -> None:
    assert Certificate.from_pem(make_certificate(name, key_from_seed("x")).pem).serial_number == serial_number


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("envoy\x1b[2K\u202e1", "envoy\\x1b[2K\\u202e1"),
        ("a\nSHA-256 00:11", "a\\nSHA-256 00:11"),
        ("\u0661" * 12, "\u0661" * 12),
        ("b" * 64, "b" * 64),
    ],
)
def test_the_name_in_a_certificate_is_shown_in_printable_characters(name: str, subject: str) -> None:
    shown = Certificate.from_pem(make_certificate(name, key_from_seed("x"), extensions=False).pem)
    assert shown.subject == subject
    assert shown.serial_number is None


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n", "\udc80"])
def test_a_text_without_a_certificate_is_an_error(text: str) -> None:
    with pytest.raises(CertificateError, match="trust the gateway again"):
        Gateway("envoy.local", certificate=text)


async def test_the_error_names_a_file_without_a_certificate(tmp_path: Path) -> None:
    file = tmp_path / "gateway.cer"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(CertificateError, match=r"gateway\.cer: contains no certificate"):
        await Gateway("envoy.local", file).login(TOKEN)


async def test_the_error_names_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="cannot be read: Is a directory"):
        await Gateway("envoy.local", tmp_path).login(TOKEN)


async def test_a_failed_trust_leaves_no_file(tmp_path: Path, unused_tcp_port: int) -> None:
    file = tmp_path / "new" / "gateway.cer"
    with pytest.raises(CommunicationError, match=f"does not answer on port {unused_tcp_port}"):
        await Gateway.trust_gateway(f"https://127.0.0.1:{unused_tcp_port}", file)
    assert not file.parent.exists()


async def test_a_failed_trust_keeps_the_older_certificate(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gateway.cer"
    file.write_text("older")

    def raise_disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", raise_disk_full)
    with pytest.raises(OSError, match="No space left"):
        await Gateway.trust_gateway(sim.url, file)
    assert file.read_text() == "older"
    assert list(tmp_path.iterdir()) == [file]


async def test_a_link_to_the_file_stays_a_link(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "link.cer").symlink_to(tmp_path / "kept.cer")
    await Gateway.trust_gateway(sim.url, tmp_path / "link.cer")
    assert (tmp_path / "link.cer").is_symlink()
    assert (tmp_path / "kept.cer").read_text() == sim.certificate_pem


async def test_a_certificate_that_no_client_can_connect_to_is_not_offered_for_trust(
    tmp_path: Path,
) -> None:
    shown = make_certificate(SERIAL_NUMBER, key_from_seed("clients"), for_clients=True)
    async with run_recorder(shown) as server:
        with pytest.raises(UnusableCertificateError, match="unsuitable certificate purpose"):
            await Gateway.trust_gateway(server.url, tmp_path / "gateway.cer")
        assert server.received == b""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), Silence.UNKNOWN_HOST),
        (ConnectionRefusedError(111, "Connect call failed"), Silence.REFUSED),
        (
            OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] failed"),
            Silence.REFUSED,
        ),
        (OSError(113, "No route to host"), Silence.TIMEOUT),
        (TimeoutError(), Silence.TIMEOUT),
        (aiohttp.ServerTimeoutError(), Silence.TIMEOUT),
        (ssl.SSLError(1, "wrong version number"), Silence.NO_TLS),
        (aiohttp.ServerDisconnectedError(), Silence.BROKEN),
        (ConnectionResetError(104, "Connection reset by peer"), Silence.BROKEN),
    ],
)
def test_a_connection_error_names_its_reason(error: Exception, reason: Silence) -> None:
    assert silence_of(error) is reason


async def test_a_server_without_tls_is_not_a_gateway() -> None:
    async with run_recorder() as server:
        with pytest.raises(CommunicationError, match="not with https"):
            await fetch_certificate(server.url.replace("http://", "https://"))


async def test_a_silent_server_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enphase_api.local.trust._TIMEOUT", 0.05)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with run_server(say_nothing) as url:
        with pytest.raises(CommunicationError, match="does not answer"):
            await fetch_certificate(url.removeprefix("http://"))


async def test_a_host_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(CommunicationError, match="check the address"):
        await fetch_certificate("nowhere.invalid")


@pytest.mark.parametrize("size", [0, 3, 8_193, 100_000])
def test_unreadable_certificate_data_of_a_peer_is_an_error(size: int) -> None:
    with pytest.raises(UnusableCertificateError, match="check that the address is the gateway's"):
        Certificate.from_der(b"0" * size)


@pytest.mark.parametrize("is_authority", [True, False], ids=["authority", "no authority"])
async def test_no_token_is_sent_to_a_certificate_signed_by_the_trusted_key(is_authority: bool) -> None:
    trusted, signed = create_certificate_and_leaf("stranger", is_authority=is_authority)
    async with run_recorder(signed) as server, Gateway(server.url, certificate=trusted.pem) as gateway:
        for call in (gateway.login(TOKEN), gateway.info(), gateway.api_call("/ivp/meters")):
            with pytest.raises(CertificateChangedError) as caught:
                await call
            assert caught.value.shown_pem == signed.pem
        assert server.received == b""


async def test_openssl_alone_would_accept_a_certificate_signed_by_the_trusted_key() -> None:
    """This shows that the previous test does not pass for another reason."""
    trusted, signed = create_certificate_and_leaf("stranger", is_authority=True)
    context = Certificate.from_pem(trusted.pem).ssl_context()
    context.wanted_key = None
    async with (
        run_recorder(signed) as server,
        aiohttp.ClientSession() as session,
        session.get(server.url, ssl=context) as response,
    ):
        assert response.status == 200


async def test_a_renewal_signed_by_the_trusted_key_for_itself_is_accepted() -> None:
    trusted, renewed = create_certificate_and_leaf("gateway", is_authority=True)
    async with run_recorder(renewed) as server, Gateway(server.url, certificate=trusted.pem) as gateway:
        assert await gateway.login(TOKEN)
        assert await gateway.api_call("/ivp/meters") == {}


async def test_a_lent_session_rejects_a_certificate_signed_by_the_trusted_key() -> None:
    trusted, signed = create_certificate_and_leaf("stranger", is_authority=True)
    async with run_recorder(signed) as server, aiohttp.ClientSession() as session:
        with pytest.raises(CertificateChangedError):
            await Gateway(server.url, certificate=trusted.pem, session=session).login(TOKEN)
        assert server.received == b""


async def test_the_key_is_compared_once_per_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, compared = create_certificate(), []
    read = GatewayConnection._shown_key

    def count_call(connection: GatewayConnection) -> str | None:
        compared.append(connection)
        return read(connection)

    monkeypatch.setattr(GatewayConnection, "_shown_key", count_call)
    async with run_recorder(shown) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.login(TOKEN)
        for _ in range(5):
            await gateway.api_call("/ivp/meters/readings")
    assert len(compared) == 1


async def test_a_peer_cannot_choose_a_slow_key_exchange() -> None:
    for context in (unverified_context(), Certificate.from_pem(create_certificate().pem).ssl_context()):
        names = {each["name"].replace("ECDHE-", "") for each in context.get_ciphers()}
        assert not [name for name in names if "DHE-" in name]
        assert "ECDSA-AES128-GCM-SHA256" in names


def test_closing_a_connection_does_not_wait_for_close_notify() -> None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = create_certificate().server_context().wrap_bio(to_server, to_client, server_side=True)
    client = unverified_context().wrap_bio(to_client, to_server)
    hands = [client, server]
    while hands:
        for hand in list(hands):
            with suppress(ssl.SSLWantReadError):
                hand.do_handshake()
                hands.remove(hand)
    to_server.read()
    client.unwrap()
    assert to_server.pending, "the alert for the peer"
