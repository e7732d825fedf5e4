"""The simulator: start and stop, certificates and their renewal, ports, and the house's clock."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from enphase_companion.simulator import Simulator
from enphase_companion.simulator.house import Clock
from tests.houses import JUNE


def fetch_certificate(simulator: Simulator) -> x509.Certificate:
    port = int(simulator.url.rpartition(":")[2])
    return x509.load_pem_x509_certificate(ssl.get_server_certificate((simulator.host, port)).encode())


def test_the_simulator_ends_its_thread_and_closes_its_ports() -> None:
    before = threading.active_count()
    with Simulator() as running:
        assert threading.active_count() == before + 1
        ports = [int(url.rpartition(":")[2]) for url in (running.url, running.entrez_url)]
    assert threading.active_count() == before
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


async def test_the_simulator_answers_while_the_event_loop_of_a_test_is_blocked(
    session: aiohttp.ClientSession,
) -> None:
    async with Simulator() as running, session.get(running.url + "/info") as response:
        assert response.status == 200


def test_the_simulator_starts_and_ends_while_a_test_has_stopped_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Frozen time, as with freezegun, must not stop the waits of the simulator."""
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    running = Simulator()

    def run_simulator() -> None:
        running.start()
        running.restart()
        running.renew_certificate()
        running.stop()

    thread = threading.Thread(target=run_simulator, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


def test_a_restarted_gateway_keeps_its_address() -> None:
    running = Simulator()
    running.start()
    url, shown = running.url, fetch_certificate(running)
    running.stop()
    with pytest.raises(ConnectionRefusedError):
        fetch_certificate(running)
    running.start()
    assert (running.url, fetch_certificate(running)) == (url, shown)
    running.stop()


@pytest.mark.parametrize(("host", "written"), [("::1", "[::1]"), ("127.0.0.2", "127.0.0.2")])
async def test_the_simulator_can_listen_on_other_addresses(
    session: aiohttp.ClientSession, host: str, written: str
) -> None:
    try:
        running = await Simulator(host=host).__aenter__()
    except OSError as error:
        pytest.skip(f"this machine has no {host}: {error}")
    try:
        assert running.url.startswith(f"https://{written}:")
        async with session.get(running.url + "/info") as response:
            assert response.status == 200
    finally:
        running.stop()


async def test_the_https_port_does_not_answer_http(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(aiohttp.ClientError):
        await session.get(simulator.url.replace("https", "http") + "/info")


def test_a_port_in_use_is_an_error_and_leaves_nothing_running() -> None:
    with Simulator() as running:
        port = int(running.url.rpartition(":")[2])
        before = threading.active_count()
        with pytest.raises(OSError, match="address already in use"):
            Simulator(port=port).start()
        assert threading.active_count() == before


def test_the_error_for_an_unknown_profile_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="three-phase, battery"):
        Simulator("castle")


def test_the_certificate_is_self_signed_and_valid_for_a_year() -> None:
    with Simulator() as running:
        certificate = fetch_certificate(running)
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(running.certificate_pem)).hexdigest().upper()
    [name] = certificate.subject
    assert name.value == running.serial_number
    assert len(running.serial_number) == 12
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=365)
    assert certificate.not_valid_before_utc < datetime.now(UTC) < certificate.not_valid_after_utc
    assert running.fingerprint.replace(":", "") == digest
    certificate.verify_directly_issued_by(certificate)


def test_certificate_and_tokens_stay_valid_after_a_restart_of_the_program() -> None:
    with Simulator() as first, Simulator() as second:
        assert first.fingerprint == second.fingerprint
        second.gateway.sessions.check(first.token())
    with Simulator(seed=2) as other:
        assert other.fingerprint != first.fingerprint
        assert other.serial_number != first.serial_number


def test_a_renewed_certificate_keeps_the_key_and_a_replaced_one_does_not() -> None:
    with Simulator() as running:
        url, first = running.url, fetch_certificate(running)
        running.renew_certificate()
        renewed = fetch_certificate(running)
        running.renew_certificate(same_key=False)
        changed = fetch_certificate(running)
        assert running.url == url
    assert renewed != first
    assert renewed.public_key() == first.public_key()
    assert changed.public_key() != first.public_key()


def test_certificates_can_be_expired_without_extensions_or_for_another_name() -> None:
    with Simulator() as running:
        assert len(fetch_certificate(running).extensions) == 2
        running.renew_certificate(expired=True, extensions=False, common_name="envoy-122300000001")
        certificate = fetch_certificate(running)
    assert certificate.not_valid_after_utc < datetime.now(UTC)
    assert not list(certificate.extensions)
    assert [name.value for name in certificate.subject] == ["envoy-122300000001"]


async def test_a_renewal_of_the_certificate_closes_open_connections(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    context = ssl.create_default_context(cadata=simulator.certificate_pem)
    context.check_hostname = False
    async with session.get(simulator.url + "/info", ssl=context) as response:
        assert response.status == 200
    await asyncio.to_thread(simulator.renew_certificate, same_key=False)
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await session.get(simulator.url + "/info", ssl=context)


@pytest.mark.parametrize("hour", [0, 6.5, 13, 23])
def test_the_hour_of_day_sets_the_longitude_of_the_house(hour: float) -> None:
    for start in (1_764_000_000.0, 1_764_043_200.0):
        placed = Simulator(hour_of_day=hour, start=start)
        local = (start / 3600 + placed.house.longitude / 15) % 24
        assert min(abs(local - hour), 24 - abs(local - hour)) < 0.01
        assert -180 <= placed.house.longitude <= 180
        produced = placed.house.truth(start).production.total.active_power
        assert produced > 100 if hour == 13 else produced < 100


def test_house_time_runs_at_its_speed_and_can_be_advanced() -> None:
    first = time.monotonic()
    clock = Clock(speed=100, start=1000)
    begun = time.monotonic()
    time.sleep(0.2)
    before = time.monotonic()
    house_time = clock.time()
    assert 1000 + (before - begun) * 100 <= house_time <= 1000 + (time.monotonic() - first) * 100
    clock.advance(3600)
    assert clock.time() >= house_time + 3600


def test_house_time_starts_at_real_time() -> None:
    begin = time.time()
    assert begin <= Clock().time() <= time.time() + 0.1


def test_sun_household_and_battery_of_a_day_do_not_depend_on_the_current_time() -> None:
    starts = [
        datetime(*at, tzinfo=UTC).timestamp()
        for at in ((2026, 11, 28, 15, 0), (2028, 2, 29, 23, 59), (2027, 3, 28, 0, 59), (2026, 7, 1, 6, 30))
    ]
    powers = set()
    for start in starts:
        truth = Simulator("battery", hour_of_day=21, day=JUNE, start=start).house.truth(start)
        assert truth.battery is not None
        powers.add(
            tuple(
                round(watts)
                for watts in (
                    truth.production.total.active_power,
                    truth.total_consumption.total.active_power,
                    truth.battery.power,
                    truth.battery.state_of_charge,
                )
            )
        )
    assert len(powers) == 1


def test_a_clock_that_runs_fast_from_the_past_does_not_pass_the_present() -> None:
    before = time.time()
    clock = Clock(speed=1e6, start=before - 86_400)
    time.sleep(0.2)
    assert before < clock.time() <= time.time()
    assert Clock(speed=1e6, start=before + 10).time() >= before + 10


def test_a_client_that_connects_during_restarts_never_waits_for_an_answer() -> None:
    """A connection without a protocol would also be reported when it is garbage-collected."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    is_over = threading.Event()
    silences = []

    def connect(port: int) -> None:
        while not is_over.is_set():
            try:
                plain = socket.create_connection(("127.0.0.1", port), 30)
                with plain, context.wrap_socket(plain) as connection:
                    connection.sendall(b"GET /info HTTP/1.0\r\n\r\n")
                    connection.recv(1)
            except TimeoutError as error:
                silences.append(error)
            except OSError:
                pass

    with Simulator("three-phase") as running, ThreadPoolExecutor(4) as clients:
        port = int(running.url.rpartition(":")[2])
        for _ in range(4):
            clients.submit(connect, port)
        for _ in range(15):
            running.restart()
        is_over.set()
    gc.collect()
    assert not silences
