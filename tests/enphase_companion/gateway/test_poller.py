"""Steady polling of a simulated gateway: gentle, without drift, and not ended by what is wrong with it."""

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
from enphase_companion.gateway import connection, inverters, poller
from enphase_companion.gateway.poller import Poller
from enphase_companion.message import Message, are_complete, build_reports
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.runtime.service import Service, Stopped
from enphase_companion.runtime.timing import Backoff

from ..cli_user import PASSWORD, USERNAME, CliUser

FILE = "credentials_token.json"
KEYS = (*GATEWAY_KEYS, "interval")
READINGS = "/ivp/meters/readings"


class Reader:
    """A poller with what it gives, and the files of its owner."""

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
    async def reading(self, interval: float = 0.05) -> AsyncIterator[Poller]:
        options = argparse.Namespace(configuration=str(self.user.folder))

        async def take(message: Message) -> None:
            self.messages.append(message)

        settings = replace(load_settings(KEYS, options), interval=interval)
        poller = Poller(
            settings, lambda: load_settings(KEYS, options), self.service, self.metrics, lambda: ""
        )
        running = asyncio.create_task(poller.run(take))
        try:
            yield poller
        finally:
            self.service.stopping.set()
            async with asyncio.timeout(5):
                with suppress(Stopped):
                    await running

    async def read(self, more: int = 3, within: float = 15) -> None:
        """Wait until there are so many messages more than now."""
        count = len(self.messages) + more
        await until(lambda: len(self.messages) >= count, within)

    def asked(self, path: str) -> int:
        return sum(each.path == path for each in self.simulator.requests)


async def until(condition: Callable[[], Any], within: float = 15) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def new_reader(create_user: Callable[..., CliUser], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Reader]:
    # What takes minutes on a roof takes moments here.
    monkeypatch.setattr(poller, "_LOOK", 0.05)

    def make(profile: str = "three-phase", **options: Any) -> Reader:
        reader = Reader(create_user(profile, **options))
        reader.trust_gateway()
        reader.write_settings(gateway_token=reader.simulator.token())
        return reader

    return make


@pytest.fixture
def reader(new_reader: Callable[..., Reader]) -> Reader:
    return new_reader()


async def test_what_the_house_does_is_what_the_messages_say(reader: Reader) -> None:
    async with reader.reading():
        await reader.read(2)
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


async def test_one_small_request_a_reading_and_one_sign_in(reader: Reader) -> None:
    async with reader.reading():
        await reader.read(20)
    assert reader.asked(READINGS) in (len(reader.messages), len(reader.messages) + 1)
    others = [each.path for each in reader.simulator.requests if each.path != READINGS]
    # Batteries, which no meter of this house would see, are looked for once an hour, as its meters are: IQ
    # Batteries are in the inventory, AC Batteries in the sums.
    looks = ["/ivp/ensemble/inventory", "/ivp/ensemble/secctrl", "/ivp/meters"]
    assert sorted(others) == ["/auth/check_jwt", "/info", *looks]


async def test_batteries_that_a_meter_sees_are_not_asked_about(new_reader: Callable[..., Reader]) -> None:
    reader = new_reader("battery")
    async with reader.reading():
        await reader.read(2)
    assert not [each.path for each in reader.simulator.requests if "ensemble" in each.path]
    assert all(are_complete(build_reports(each)) for each in reader.messages)


@pytest.mark.slow
async def test_a_late_answer_does_not_shift_the_next_tick(reader: Reader) -> None:
    async with reader.reading(interval=1):
        await reader.read(1)
        reader.simulator.faults.set("slow", path=READINGS, seconds=0.5)
        await reader.read(2)
        reader.simulator.faults.clear()
        await reader.read(2)
    asked = [each.time for each in reader.simulator.requests if each.path == READINGS][1:]
    assert len(asked) >= 4
    # With drift, each would have been half a second later than the one before.
    since = [each - asked[0] for each in asked]
    assert [round(each) for each in since] == pytest.approx(since, abs=0.25)


@pytest.mark.slow
async def test_an_answer_that_takes_longer_than_the_interval_costs_ticks_and_they_are_counted(
    reader: Reader,
) -> None:
    async with reader.reading(interval=0.2):
        await reader.read(1)
        reader.simulator.faults.set("slow", path=READINGS, seconds=0.7)
        await reader.read(1)
        reader.simulator.faults.clear()
        await reader.read(1)
    assert reader.metrics["polls_skipped"] >= 3, "those of 0.7 seconds, and more on a busy machine"


@pytest.mark.parametrize("fault", ["reset", "status", "html", "truncated"])
@pytest.mark.slow
async def test_a_gateway_that_does_not_answer_as_it_should_is_waited_for(
    reader: Reader, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with reader.reading():
        await reader.read(2)
        reader.simulator.faults.set(fault, path=READINGS)
        await until(lambda: reader.metrics["polls_failed"] >= 3)
        before = reader.asked(READINGS)
        await asyncio.sleep(0.5)
        assert reader.asked(READINGS) - before <= 4, (
            "ten ticks, but a weak computer in trouble is asked less often"
        )
        reader.simulator.faults.clear()
        await reader.read(2)
    assert sum("retrying" in each for each in caplog.messages) == 1
    assert "gateway responds again" in caplog.messages


async def test_a_gateway_that_is_away_at_the_start_is_waited_for(
    reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    reader.simulator.faults.set("status")
    async with reader.reading():
        await until(lambda: "retrying" in caplog.text)
        reader.simulator.faults.clear()
        await reader.read(2)


async def test_a_restart_of_the_gateway_costs_a_silent_sign_in(reader: Reader) -> None:
    async with reader.reading():
        await reader.read(2)
        reader.simulator.gateway.sessions.end_all()
        await reader.read(2)
    assert reader.asked("/auth/check_jwt") == 2


async def test_a_gateway_that_never_answers_does_not_keep_the_script_from_ending(reader: Reader) -> None:
    reader.simulator.faults.set("silent", path=READINGS)
    async with reader.reading():
        await until(lambda: reader.asked(READINGS))
    # The end of `reading` waits for far less than the answer, which never comes.
    assert not reader.messages


@pytest.mark.slow
async def test_no_token_leaves_when_the_certificate_changed_and_reading_goes_on_when_it_is_trusted(
    reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    async with reader.reading():
        await reader.read(2)
        await asyncio.to_thread(reader.simulator.renew_certificate, same_key=False)
        reader.simulator.gateway.sessions.end_all()
        await until(lambda: "the gateway now shows another certificate" in caplog.text)
        heard = len(reader.simulator.requests)
        await asyncio.sleep(0.5)
        assert len(reader.simulator.requests) == heard, "not even a request without a secret"
        reader.trust_gateway()
        await reader.read(2)
    assert caplog.text.count("the gateway now shows another certificate") == 1
    assert "gateway can be read again" in caplog.messages


async def test_a_renewed_certificate_of_the_same_key_is_no_trouble(reader: Reader) -> None:
    async with reader.reading():
        await reader.read(2)
        await asyncio.to_thread(reader.simulator.renew_certificate)
        await reader.read(2)


@pytest.mark.slow
async def test_a_token_that_ends_in_mid_run_ends_nothing_and_a_new_one_is_taken(
    reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    async with reader.reading():
        await reader.read(2)
        # As the gateway sees a token that has run out: its session ends and it is not taken again.
        token = reader.simulator.token(issued_ago=90_000, lifetime=86_400)
        reader.write_settings(gateway_token=token)
        for path in (READINGS, "/auth/check_jwt"):
            reader.simulator.faults.set("refuse", path=path)
        await until(lambda: "expired" in caplog.text)
        reader.simulator.faults.clear()
        signed_in = reader.asked("/auth/check_jwt")
        await asyncio.sleep(0.5)
        assert reader.asked("/auth/check_jwt") == signed_in, "a token that has run out is not sent at all"
        reader.write_settings(gateway_token=reader.simulator.token())
        await reader.read(2)
    assert token not in caplog.text
    assert caplog.text.count("expired") == 1


async def test_a_new_token_that_is_there_in_time_is_taken_without_a_word(
    reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    async with reader.reading():
        await reader.read(2)
        reader.write_settings(gateway_token=reader.simulator.token(issued_ago=5))
        reader.simulator.gateway.sessions.end_all()
        reader.simulator.faults.set("refuse", path=READINGS)
        await until(lambda: reader.asked("/auth/check_jwt") >= 2)
        reader.simulator.faults.clear()
        await reader.read(2)
    assert not caplog.messages


@pytest.mark.slow
async def test_a_role_that_may_not_read_is_told_and_not_tried_all_the_time(
    reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    reader.simulator.faults.set("refuse", path=READINGS)
    async with reader.reading():
        await until(lambda: caplog.messages)
        asked = len(reader.simulator.requests)
        await asyncio.sleep(1)
        assert len(reader.simulator.requests) == asked


async def test_settings_that_are_broken_in_mid_run_are_told_and_those_before_are_kept(
    reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    async with reader.reading():
        await reader.read(2)
        file = reader.user.folder / FILE
        whole = file.read_text()
        file.write_text(whole[:-1])
        reader.simulator.faults.set("refuse", path=READINGS)
        await until(lambda: "not valid JSON" in caplog.text)
        reader.simulator.faults.clear()
        file.write_text(whole)
        await reader.read(2)


@pytest.mark.slow
async def test_a_token_that_cannot_be_stored_is_kept_and_not_asked_for_at_each_connection(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(connection, "store", fail)
    monkeypatch.setattr(poller, "_SESSION", 1)
    old = reader.simulator.token(issued_ago=90_000, lifetime=86_400)
    account = {"enphase_username": USERNAME, "enphase_password": PASSWORD}
    reader.write_settings(gateway_token=old, entrez_host=reader.simulator.entrez_url, **account)
    async with reader.reading():
        await until(lambda: reader.asked("/auth/check_jwt") >= 3)
        await reader.read(1)
    assert [each.path for each in reader.simulator.entrez_requests].count("/login") == 1
    assert caplog.text.count("the new token cannot be stored") == 1


@pytest.mark.slow
async def test_an_account_that_is_refused_is_not_tried_again_until_the_file_changes(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(poller, "Backoff", lambda *_: Backoff(0.05, 0.05))
    account = {"enphase_username": USERNAME, "entrez_host": reader.simulator.entrez_url}
    reader.write_settings(**account, enphase_password="wrong")
    async with reader.reading():
        await until(lambda: "Entrez rejects" in caplog.text)
        asked = len(reader.simulator.entrez_requests)
        await asyncio.sleep(1)
        assert len(reader.simulator.entrez_requests) == asked
        reader.write_settings(**account, enphase_password=PASSWORD)
        await reader.read(2)


@pytest.mark.parametrize("profile", ["no-meters", "no-meters-404", "meters-disabled"])
async def test_without_meters_the_microinverters_sum_is_taken_every_five_minutes(
    new_reader: Callable[..., Reader], profile: str, caplog: pytest.LogCaptureFixture
) -> None:
    reader = new_reader(profile)
    async with reader.reading():
        await reader.read(1)
        missed = reader.metrics["polls_skipped"]
        await asyncio.sleep(0.5)
    (message,) = reader.messages
    (sample,) = message.samples
    assert (sample.measurement, sample.phase) == ("production", 0)
    at = sample.measured_at / 1000
    truth = reader.simulator.house.truth(at).production.total.active_power
    # Up to five minutes old, of a sun that is not covered.
    assert sample.quantities.active_power == pytest.approx(truth, rel=0.1)
    assert reader.asked("/ivp/meters") == 1
    assert reader.asked("/api/v1/production/inverters") == 1
    assert reader.asked(READINGS) == 0
    assert reader.metrics["polls_skipped"] == missed, "five minutes are no outage"
    assert not caplog.messages


async def test_the_microinverters_are_asked_again_and_again(
    new_reader: Callable[..., Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (inverters, poller):
        monkeypatch.setattr(module, "LOOK", 0.1)
    reader = new_reader("no-meters")
    async with reader.reading():
        await reader.read(3)
    times = [each.samples[0].measured_at for each in reader.messages]
    assert len({*times}) == len(times)


async def test_a_gateway_with_neither_meters_nor_microinverters_is_told_and_asked_rarely(
    new_reader: Callable[..., Reader], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def none(self: Gateway) -> tuple[()]:
        return ()

    monkeypatch.setattr(Gateway, "inverters", none)
    reader = new_reader("no-meters")
    async with reader.reading():
        await until(lambda: "neither an enabled meter nor microinverters" in caplog.text)
        await asyncio.sleep(0.5)
    assert reader.asked("/ivp/meters") == 1
    assert not reader.messages
    assert caplog.text.count("neither an enabled meter") == 1
    assert "installer" not in caplog.text


@pytest.mark.parametrize("profile", ["battery-without-meter", "ac-batteries"])
async def test_consumption_is_not_worked_out_where_no_meter_sees_the_batteries(
    new_reader: Callable[..., Reader], profile: str
) -> None:
    reader = new_reader(profile)
    async with reader.reading():
        await reader.read(2)
    assert all(
        each.has_unmetered_batteries and not are_complete(build_reports(each)) for each in reader.messages
    )
    assert reader.asked("/production.json") == 0, "it takes a gateway seconds"


@pytest.mark.parametrize(("profile", "are_there"), [("ac-batteries", True), ("three-phase", False)])
async def test_ac_batteries_are_found_on_a_gateway_without_the_sums_of_batteries(
    new_reader: Callable[..., Reader], profile: str, are_there: bool
) -> None:
    reader = new_reader(profile)
    reader.simulator.faults.set("status", path="/ivp/ensemble/secctrl", status=404)
    async with reader.reading():
        await reader.read(3)
    assert {each.has_unmetered_batteries for each in reader.messages} == {are_there}
    assert reader.asked("/production.json") == 1


async def test_batteries_that_are_not_told_of_may_be_there_until_they_are(reader: Reader) -> None:
    reader.simulator.faults.set("status", path="/ivp/ensemble/inventory", times=1)
    async with reader.reading():
        await reader.read(2)
        # The next look is a minute away.
        assert all(each.has_unmetered_batteries for each in reader.messages)


async def test_a_meter_that_the_firmware_always_reports_and_never_lists_is_asked_about_once(
    new_reader: Callable[..., Reader],
) -> None:
    reader = new_reader("many-meters")
    async with reader.reading():
        await reader.read(10)
    assert reader.asked("/ivp/meters") == 2


async def test_settings_are_loaded_again_each_day(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "_SESSION", 0.5)
    async with reader.reading():
        await reader.read(2)
        reader.write_settings(gateway_token=reader.simulator.token(issued_ago=7))
        await until(lambda: reader.asked("/auth/check_jwt") >= 2)
        await reader.read(2)


async def test_systemd_sees_life_also_while_the_gateway_is_away(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives: list[float] = []
    monkeypatch.setattr(reader.service, "alive", lambda _: lives.append(time.monotonic()))
    reader.user.certificate.unlink()
    async with reader.reading():
        await until(lambda: len(lives) > 5)
