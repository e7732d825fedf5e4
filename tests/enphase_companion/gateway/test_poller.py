"""The poller: few requests to a simulated gateway, no drift, and recovery from its failures."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from enphase_api.local import Gateway
from enphase_companion.config.loader import load_settings
from enphase_companion.config.settings import GATEWAY_KEYS
from enphase_companion.gateway import connection, inverters, poller, source
from enphase_companion.gateway.inverters import InverterReports
from enphase_companion.gateway.poller import Poller
from enphase_companion.message import Message, are_complete, build_reports
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.runtime.service import Service, Stopped
from enphase_companion.runtime.timing import Backoff

from ..cli_user import PASSWORD, USERNAME, CliUser

FILE = "credentials_token.json"
KEYS = (*GATEWAY_KEYS, "interval")
READINGS = "/ivp/meters/readings"


class PollerSetup:
    """A poller with its messages and the files of its user."""

    def __init__(self, user: CliUser) -> None:
        self.simulator = user.simulator
        self.user = user
        self.metrics = Metrics()
        self.messages: list[Message] = []
        self.service = Service()

    def write_settings(self, **settings: Any) -> None:
        self.user.folder.mkdir(exist_ok=True)
        file = self.user.folder / FILE
        written = file.with_suffix(".new")
        written.write_text(json.dumps({"gateway_host": self.simulator.url, **settings}))
        written.chmod(0o600)
        written.replace(file)

    def trust_gateway(self) -> None:
        self.user.trust_gateway()

    @asynccontextmanager
    async def run(
        self, interval: float = 0.05, reports: InverterReports | None = None
    ) -> AsyncIterator[Poller]:
        options = argparse.Namespace(configuration=str(self.user.folder))

        async def take(message: Message) -> None:
            self.messages.append(message)

        settings = replace(load_settings(KEYS, options), interval=interval)
        poller = Poller(
            settings,
            lambda: load_settings(KEYS, options),
            self.service,
            self.metrics,
            lambda: "",
            reports=reports,
        )
        running = asyncio.create_task(poller.run(take))
        try:
            yield poller
        finally:
            self.service.stopping.set()
            async with asyncio.timeout(5):
                with suppress(Stopped):
                    await running

    async def wait_for_messages(self, more: int = 3, within: float = 15) -> None:
        """Wait until there are this many more messages."""
        count = len(self.messages) + more
        await wait_until(lambda: len(self.messages) >= count, within)

    def count_requests(self, path: str) -> int:
        return sum(each.path == path for each in self.simulator.requests)


async def wait_until(condition: Callable[[], Any], within: float = 15) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def create_reader(
    create_user: Callable[..., CliUser], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., PollerSetup]:
    # Shorten an interval of minutes.
    monkeypatch.setattr(source, "CHECK_INTERVAL", 0.05)

    def create(profile: str = "three-phase", **options: Any) -> PollerSetup:
        reader = PollerSetup(create_user(profile, **options))
        reader.trust_gateway()
        reader.write_settings(gateway_token=reader.simulator.token())
        return reader

    return create


@pytest.fixture
def reader(create_reader: Callable[..., PollerSetup]) -> PollerSetup:
    return create_reader()


async def test_messages_contain_the_power_of_the_house(reader: PollerSetup) -> None:
    async with reader.run():
        await reader.wait_for_messages(2)
    latest = reader.messages[-1]
    assert latest.gateway == reader.simulator.serial_number
    assert are_complete(build_reports(latest))
    at = latest.samples[0].measured_at / 1000
    truth = reader.simulator.house.truth(at)
    production = next(each for each in latest.samples if (each.measurement, each.phase) == ("production", 0))
    assert production.quantities.energy_delivered == pytest.approx(
        truth.production.total.energy_delivered, abs=2
    )
    assert {(each.measurement, each.phase) for each in latest.samples} == {
        (measurement, phase) for measurement in ("production", "net-consumption") for phase in range(4)
    }


@pytest.mark.parametrize(
    ("profile", "fault", "path"),
    [
        ("three-phase", "status", "/ivp/pdm/device_data"),
        ("three-phase+no-device-data", "refuse", "/api/v1/production/inverters"),
    ],
)
async def test_meters_are_read_while_microinverters_cannot_be_read(
    create_reader: Callable[..., PollerSetup],
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    fault: str,
    path: str,
) -> None:
    monkeypatch.setattr(inverters, "POLL_INTERVAL", 0.1)
    reader = create_reader(profile)
    reader.simulator.faults.set(fault, path=path)
    async with reader.run(reports=InverterReports()) as poller:
        await reader.wait_for_messages(3)
        assert (poller.problem or "").startswith("microinverters cannot be read: ")
        assert all(message.samples for message in reader.messages)
        reader.simulator.faults.clear()
        await wait_until(lambda: any(message.inverters for message in reader.messages))
        assert poller.problem is None


async def test_microinverters_that_could_not_be_read_are_no_problem_any_more_at_night(
    create_reader: Callable[..., PollerSetup], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then none of them has a new report."""
    monkeypatch.setattr(inverters, "POLL_INTERVAL", 0.1)
    reader = create_reader(hour_of_day=1)
    async with reader.run(reports=InverterReports()) as poller:
        await wait_until(lambda: any(message.inverters for message in reader.messages))
        reader.simulator.faults.set("status", path="/ivp/pdm/device_data")
        await wait_until(lambda: poller.problem is not None)
        reader.simulator.faults.clear()
        await wait_until(lambda: poller.problem is None)


async def test_each_reading_takes_one_small_request_and_one_sign_in_is_enough(reader: PollerSetup) -> None:
    async with reader.run():
        await reader.wait_for_messages(20)
    assert reader.count_requests(READINGS) in (len(reader.messages), len(reader.messages) + 1)
    others = [each.path for each in reader.simulator.requests if each.path != READINGS]
    # Meters and unmetered batteries are requested once an hour: IQ Batteries from the inventory, AC Batteries
    # from the sums.
    looks = ["/ivp/ensemble/inventory", "/ivp/ensemble/secctrl", "/ivp/meters"]
    assert sorted(others) == ["/auth/check_jwt", "/info", *looks]


async def test_metered_batteries_are_not_requested(create_reader: Callable[..., PollerSetup]) -> None:
    reader = create_reader("battery")
    async with reader.run():
        await reader.wait_for_messages(2)
    assert not [each.path for each in reader.simulator.requests if "ensemble" in each.path]
    assert all(are_complete(build_reports(each)) for each in reader.messages)


@pytest.mark.slow
async def test_a_late_answer_does_not_shift_the_next_poll(reader: PollerSetup) -> None:
    async with reader.run(interval=1):
        await reader.wait_for_messages(1)
        reader.simulator.faults.set("slow", path=READINGS, seconds=0.5)
        await reader.wait_for_messages(2)
        reader.simulator.faults.clear()
        await reader.wait_for_messages(2)
    requests = [each.time for each in reader.simulator.requests if each.path == READINGS][1:]
    assert len(requests) >= 4
    # With drift, each request would be half a second later than the previous one.
    since = [each - requests[0] for each in requests]
    assert [round(each) for each in since] == pytest.approx(since, abs=0.25)


@pytest.mark.slow
async def test_polls_skipped_during_a_slow_answer_are_counted(
    reader: PollerSetup,
) -> None:
    async with reader.run(interval=0.2):
        await reader.wait_for_messages(1)
        reader.simulator.faults.set("slow", path=READINGS, seconds=0.7)
        await reader.wait_for_messages(1)
        reader.simulator.faults.clear()
        await reader.wait_for_messages(1)
    assert reader.metrics["polls_skipped"] >= 3, "those of 0.7 seconds, and more on a busy machine"


@pytest.mark.parametrize("fault", ["reset", "status", "html", "truncated"])
@pytest.mark.slow
async def test_polling_continues_after_invalid_answers(
    reader: PollerSetup, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with reader.run():
        await reader.wait_for_messages(2)
        reader.simulator.faults.set(fault, path=READINGS)
        await wait_until(lambda: reader.metrics["polls_failed"] >= 3)
        before = reader.count_requests(READINGS)
        await asyncio.sleep(0.5)
        assert reader.count_requests(READINGS) - before <= 4, (
            "ten intervals, but a failing gateway is polled less often"
        )
        reader.simulator.faults.clear()
        await reader.wait_for_messages(2)
    assert sum("retrying" in each for each in caplog.messages) == 1
    assert "gateway responds again" in caplog.messages


async def test_polling_starts_once_the_gateway_is_reachable(
    reader: PollerSetup, caplog: pytest.LogCaptureFixture
) -> None:
    reader.simulator.faults.set("status")
    async with reader.run():
        await wait_until(lambda: "retrying" in caplog.text)
        reader.simulator.faults.clear()
        await reader.wait_for_messages(2)


async def test_a_restart_of_the_gateway_causes_a_silent_sign_in(reader: PollerSetup) -> None:
    async with reader.run():
        await reader.wait_for_messages(2)
        reader.simulator.gateway.sessions.end_all()
        await reader.wait_for_messages(2)
    assert reader.count_requests("/auth/check_jwt") == 2


async def test_the_poller_stops_while_the_gateway_does_not_answer(reader: PollerSetup) -> None:
    reader.simulator.faults.set("silent", path=READINGS)
    async with reader.run():
        await wait_until(lambda: reader.count_requests(READINGS))
    # The end of `run` waits far less than the gateway's answer would take.
    assert not reader.messages


@pytest.mark.slow
async def test_no_token_is_sent_after_the_certificate_changed_until_it_is_trusted(
    reader: PollerSetup, caplog: pytest.LogCaptureFixture
) -> None:
    async with reader.run():
        await reader.wait_for_messages(2)
        await asyncio.to_thread(reader.simulator.renew_certificate, same_key=False)
        reader.simulator.gateway.sessions.end_all()
        await wait_until(lambda: "the gateway now shows another certificate" in caplog.text)
        heard = len(reader.simulator.requests)
        await asyncio.sleep(0.5)
        assert len(reader.simulator.requests) == heard, "not even a request without a secret"
        reader.trust_gateway()
        await reader.wait_for_messages(2)
    assert caplog.text.count("the gateway now shows another certificate") == 1
    assert "gateway can be read again" in caplog.messages


async def test_a_certificate_renewed_with_the_same_key_is_accepted(reader: PollerSetup) -> None:
    async with reader.run():
        await reader.wait_for_messages(2)
        await asyncio.to_thread(reader.simulator.renew_certificate)
        await reader.wait_for_messages(2)


@pytest.mark.slow
async def test_polling_continues_with_a_new_token_after_the_old_one_expired(
    reader: PollerSetup, caplog: pytest.LogCaptureFixture
) -> None:
    async with reader.run():
        await reader.wait_for_messages(2)
        # The gateway ends the session of an expired token and rejects the token.
        token = reader.simulator.token(issued_ago=90_000, lifetime=86_400)
        reader.write_settings(gateway_token=token)
        for path in (READINGS, "/auth/check_jwt"):
            reader.simulator.faults.set("refuse", path=path)
        await wait_until(lambda: "expired" in caplog.text)
        reader.simulator.faults.clear()
        signed_in = reader.count_requests("/auth/check_jwt")
        await asyncio.sleep(0.5)
        assert reader.count_requests("/auth/check_jwt") == signed_in, "an expired token is not sent"
        reader.write_settings(gateway_token=reader.simulator.token())
        await reader.wait_for_messages(2)
    assert token not in caplog.text
    assert caplog.text.count("expired") == 1


async def test_a_token_renewed_in_time_is_used_without_a_warning(
    reader: PollerSetup, caplog: pytest.LogCaptureFixture
) -> None:
    async with reader.run():
        await reader.wait_for_messages(2)
        reader.write_settings(gateway_token=reader.simulator.token(issued_ago=5))
        reader.simulator.gateway.sessions.end_all()
        reader.simulator.faults.set("refuse", path=READINGS)
        await wait_until(lambda: reader.count_requests("/auth/check_jwt") >= 2)
        reader.simulator.faults.clear()
        await reader.wait_for_messages(2)
    assert not caplog.messages


@pytest.mark.slow
async def test_a_role_without_access_is_logged_and_retried_rarely(
    reader: PollerSetup, caplog: pytest.LogCaptureFixture
) -> None:
    reader.simulator.faults.set("refuse", path=READINGS)
    async with reader.run():
        await wait_until(lambda: caplog.messages)
        requests = len(reader.simulator.requests)
        await asyncio.sleep(1)
        assert len(reader.simulator.requests) == requests


async def test_settings_broken_during_a_run_are_logged_and_the_previous_ones_kept(
    reader: PollerSetup, caplog: pytest.LogCaptureFixture
) -> None:
    async with reader.run():
        await reader.wait_for_messages(2)
        file = reader.user.folder / FILE
        content = file.read_text()
        file.write_text(content[:-1])
        reader.simulator.faults.set("refuse", path=READINGS)
        await wait_until(lambda: "not valid JSON" in caplog.text)
        reader.simulator.faults.clear()
        file.write_text(content)
        await reader.wait_for_messages(2)


@pytest.mark.slow
async def test_a_token_that_cannot_be_stored_is_kept_in_memory(
    reader: PollerSetup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def raise_error(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(connection, "store", raise_error)
    monkeypatch.setattr(poller, "_SESSION", 1)
    old = reader.simulator.token(issued_ago=90_000, lifetime=86_400)
    account = {"enphase_username": USERNAME, "enphase_password": PASSWORD}
    reader.write_settings(gateway_token=old, entrez_host=reader.simulator.entrez_url, **account)
    async with reader.run():
        await wait_until(lambda: reader.count_requests("/auth/check_jwt") >= 3)
        await reader.wait_for_messages(1)
    assert [each.path for each in reader.simulator.entrez_requests].count("/login") == 1
    assert caplog.text.count("the new token cannot be stored") == 1


@pytest.mark.slow
async def test_a_rejected_account_is_not_retried_until_the_file_changes(
    reader: PollerSetup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(poller, "Backoff", lambda *_: Backoff(0.05, 0.05))
    account = {"enphase_username": USERNAME, "entrez_host": reader.simulator.entrez_url}
    reader.write_settings(**account, enphase_password="wrong")
    async with reader.run():
        await wait_until(lambda: "Entrez rejects" in caplog.text)
        requests = len(reader.simulator.entrez_requests)
        await asyncio.sleep(1)
        assert len(reader.simulator.entrez_requests) == requests
        reader.write_settings(**account, enphase_password=PASSWORD)
        await reader.wait_for_messages(2)


@pytest.mark.parametrize("profile", ["no-meters", "no-meters-404", "meters-disabled"])
async def test_the_sum_of_microinverters_is_polled_every_five_minutes_without_meters(
    create_reader: Callable[..., PollerSetup], profile: str, caplog: pytest.LogCaptureFixture
) -> None:
    reader = create_reader(profile)
    async with reader.run():
        await reader.wait_for_messages(1)
        missed = reader.metrics["polls_skipped"]
        await asyncio.sleep(0.5)
    (message,) = reader.messages
    (sample,) = message.samples
    assert (sample.measurement, sample.phase) == ("production", 0)
    at = sample.measured_at / 1000
    truth = reader.simulator.house.truth(at).production.total.active_power
    # The value is up to five minutes old, under a clear sky.
    assert sample.quantities.active_power == pytest.approx(truth, rel=0.1)
    assert reader.count_requests("/ivp/meters") == 1
    assert reader.count_requests("/api/v1/production/inverters") == 1
    assert reader.count_requests(READINGS) == 0
    assert reader.metrics["polls_skipped"] == missed, "five minutes are no outage"
    assert not caplog.messages


async def test_microinverters_are_polled_repeatedly(
    create_reader: Callable[..., PollerSetup], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (inverters, poller):
        monkeypatch.setattr(module, "POLL_INTERVAL", 0.1)
    reader = create_reader("no-meters")
    async with reader.run():
        await reader.wait_for_messages(3)
    times = [each.samples[0].measured_at for each in reader.messages]
    assert len({*times}) == len(times)


async def test_a_gateway_without_meters_and_microinverters_is_logged_and_polled_rarely(
    create_reader: Callable[..., PollerSetup],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def return_none(self: Gateway) -> tuple[()]:
        return ()

    monkeypatch.setattr(Gateway, "inverters", return_none)
    reader = create_reader("no-meters")
    async with reader.run():
        await wait_until(lambda: "neither an enabled meter nor microinverters" in caplog.text)
        await asyncio.sleep(0.5)
    assert reader.count_requests("/ivp/meters") == 1
    assert not reader.messages
    assert caplog.text.count("neither an enabled meter") == 1
    assert "installer" not in caplog.text


@pytest.mark.parametrize("profile", ["battery-without-meter", "ac-batteries"])
async def test_consumption_is_unknown_with_unmetered_batteries(
    create_reader: Callable[..., PollerSetup], profile: str
) -> None:
    reader = create_reader(profile)
    async with reader.run():
        await reader.wait_for_messages(2)
    assert all(
        each.has_unmetered_batteries and not are_complete(build_reports(each)) for each in reader.messages
    )
    assert reader.count_requests("/production.json") == 0, "it takes a gateway seconds"


@pytest.mark.parametrize(("profile", "are_there"), [("ac-batteries", True), ("three-phase", False)])
async def test_ac_batteries_are_detected_without_battery_sums(
    create_reader: Callable[..., PollerSetup], profile: str, are_there: bool
) -> None:
    reader = create_reader(profile)
    reader.simulator.faults.set("status", path="/ivp/ensemble/secctrl", status=404)
    async with reader.run():
        await reader.wait_for_messages(3)
    assert {each.has_unmetered_batteries for each in reader.messages} == {are_there}
    assert reader.count_requests("/production.json") == 1


async def test_unmetered_batteries_are_assumed_until_the_inventory_is_known(reader: PollerSetup) -> None:
    reader.simulator.faults.set("status", path="/ivp/ensemble/inventory", times=1)
    async with reader.run():
        await reader.wait_for_messages(2)
        # The next request is a minute away.
        assert all(each.has_unmetered_batteries for each in reader.messages)


async def test_a_meter_that_is_reported_but_never_listed_is_requested_once(
    create_reader: Callable[..., PollerSetup],
) -> None:
    reader = create_reader("many-meters")
    async with reader.run():
        await reader.wait_for_messages(10)
    assert reader.count_requests("/ivp/meters") == 2


async def test_settings_are_reloaded_every_day(reader: PollerSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "_SESSION", 0.5)
    async with reader.run():
        await reader.wait_for_messages(2)
        reader.write_settings(gateway_token=reader.simulator.token(issued_ago=7))
        await wait_until(lambda: reader.count_requests("/auth/check_jwt") >= 2)
        await reader.wait_for_messages(2)


async def test_the_watchdog_is_notified_while_the_gateway_is_unreachable(
    reader: PollerSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives: list[float] = []
    monkeypatch.setattr(reader.service, "alive", lambda _: lives.append(time.monotonic()))
    reader.user.certificate.unlink()
    async with reader.run():
        await wait_until(lambda: len(lives) > 5)
