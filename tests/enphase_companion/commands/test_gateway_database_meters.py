"""enphase-gateway-database-meters in a separate process, with a simulated gateway and real databases."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from enphase_companion.commands.gateway_database_meters import NAME, main
from enphase_companion.message import decode
from enphase_companion.storage import Database
from tests.services.disk import SmallDisk
from tests.services.mariadb import MariaDB, execute

from ..amqp_helpers import wait_until
from ..cli_user import PASSWORD, USERNAME, CliUser
from .running import (
    READINGS,
    STOP_TIMEOUT,
    AnswerRecorder,
    Command,
    DatabaseInspector,
    assert_readings_equal,
    assert_setting_rejected,
    capture_notifications,
    read_spool,
)

pytestmark = pytest.mark.slow


@dataclass
class StoringCommand(Command):
    """The command with the recorded answers of its gateway and the database that it writes to."""

    url: str = ""
    attached: AnswerRecorder | None = None
    spool: Path = Path()

    def write_settings(self, **settings: Any) -> None:
        self.user.write_token_settings(
            **{
                "gateway_host": self.user.simulator.url,
                "database_url": self.url,
                "spool_file": str(self.spool),
                "interval": 1,
                "flush_interval": 0.3,
                **settings,
            }
        )

    @property
    def inspector(self) -> DatabaseInspector:
        return DatabaseInspector(self.url)

    @property
    def recorder(self) -> AnswerRecorder:
        assert self.attached is not None
        return self.attached

    def get_spooled(self) -> list[int]:
        """Return the times of measurement in the spool of the stopped command."""
        return [
            sample.measured_at
            for message in read_spool(self.spool)
            for sample in decode(message.body).samples
        ]


@pytest.fixture
def create_storing(
    create_user: Callable[..., CliUser], tmp_path: Path
) -> Iterator[Callable[..., StoringCommand]]:
    """Yield a function that creates the command for a database URL and a gateway's profile."""
    created = []

    def create(url: str, profile: str = "battery", **options: Any) -> StoringCommand:
        # Readings are ten simulated seconds apart, so that their times differ.
        user = create_user(profile, speed=20, **options)
        user.trust_gateway()
        storing = StoringCommand(user, NAME, tmp_path / "log", url=url, spool=user.home / "spool")
        storing.attached = AnswerRecorder.attach(user.simulator, user.patch)
        storing.write_settings(gateway_token=user.simulator.token())
        created.append(storing)
        return storing

    yield create
    for storing in created:
        storing.kill()


async def test_every_reading_of_the_gateway_is_stored_once(
    create_storing: Callable[..., StoringCommand], database_url: str
) -> None:
    storing = create_storing(database_url)
    storing.start()
    await storing.inspector.wait_for_count(6)
    assert storing.stop() == 0
    # The last answer may have been interrupted.
    truth = storing.recorder.truth
    last = max(storing.recorder.timestamps)
    stored = storing.inspector.stored
    assert_readings_equal(stored, {key: truth[key] for key in truth if key[0] != last or key in stored})
    assert {key[1] for key in stored} == {"production", "net-consumption", "storage"}
    assert len(storing.output.splitlines()) == 1, "nothing but where the readings go"


async def test_ended_buckets_are_rolled_up(
    create_storing: Callable[..., StoringCommand], database_url: str
) -> None:
    storing = create_storing(database_url, start=time.time() - 86_400)
    storing.start()
    await storing.inspector.wait_for_count(12)
    minutes = "SELECT DISTINCT bucket_start FROM minutes"
    await wait_until(lambda: len(storing.inspector.query(minutes)) >= 2)
    assert storing.stop() == 0


@pytest.mark.slow
async def test_no_reading_is_lost_while_the_database_is_killed_and_restarted(
    mariadb: MariaDB, maria: StoringCommand
) -> None:
    maria.start()
    await maria.inspector.wait_for_count(3)
    await asyncio.to_thread(mariadb.kill)
    before = len(maria.recorder)
    await wait_until(lambda: len(maria.recorder) >= before + 6)
    await maria.wait_for("readings wait on disk")
    await asyncio.to_thread(mariadb.start)
    await maria.wait_for("readings are stored again")
    assert maria.stop() == 0
    assert maria.recorder.timestamps - maria.inspector.timestamps <= {max(maria.recorder.timestamps)}
    assert maria.output.count("warning:") < 6, maria.output


@pytest.mark.slow
async def test_the_command_starts_without_the_database_and_creates_its_tables_later(
    mariadb: MariaDB, maria: StoringCommand
) -> None:
    await asyncio.to_thread(mariadb.kill)
    maria.start()
    await wait_until(lambda: len(maria.recorder) >= 3)
    await asyncio.to_thread(mariadb.start)
    await maria.inspector.wait_for(maria.recorder.timestamps)
    assert maria.stop() == 0


@pytest.mark.slow
async def test_the_command_stops_while_the_database_hangs_and_stores_the_rest_later(
    mariadb: MariaDB, maria: StoringCommand
) -> None:
    maria.start()
    await maria.inspector.wait_for_count(2)
    mariadb.pause()
    before = len(maria.recorder)
    await wait_until(lambda: len(maria.recorder) >= before + 3)
    assert maria.stop() == 0
    read = maria.recorder.timestamps
    spooled = maria.get_spooled()
    assert len(set(spooled)) >= 2
    mariadb.resume()
    await maria.start_and_wait()
    await maria.inspector.wait_for(spooled)
    assert maria.stop() == 0
    assert read - maria.inspector.timestamps <= {max(read)}


async def test_the_command_stops_while_the_database_is_locked(
    lite: StoringCommand,
) -> None:
    lite.start()
    await lite.inspector.wait_for_count(2)
    locking = sqlite3.connect(str(make_url(lite.url).database), isolation_level=None)
    locking.execute("BEGIN IMMEDIATE")
    before = len(lite.recorder)
    await wait_until(lambda: len(lite.recorder) >= before + 3)
    assert lite.stop() == 0
    locking.close()
    await lite.start_and_wait()
    await lite.inspector.wait_for(lite.recorder.timestamps - {max(lite.recorder.timestamps)})
    assert lite.stop() == 0


async def test_the_command_starts_on_a_full_disk_and_stores_readings(
    lite: StoringCommand, small_disk: SmallDisk
) -> None:
    lite.spool = small_disk.path / "spool"
    lite.write_settings(gateway_token=lite.user.simulator.token())
    small_disk.fill()
    lite.start()
    await lite.wait_for("cannot be used as spool (database or disk is full)")
    await lite.inspector.wait_for_count(5)
    small_disk.free()
    await lite.wait_for(f"{lite.spool}: takes all readings again")
    assert lite.stop() == 0
    assert lite.recorder.timestamps - lite.inspector.timestamps <= {max(lite.recorder.timestamps)}
    assert "lost." not in lite.output


async def test_no_reading_is_lost_while_the_spools_disk_is_read_only(
    lite: StoringCommand, small_disk: SmallDisk
) -> None:
    lite.spool = small_disk.path / "spool"
    lite.write_settings(gateway_token=lite.user.simulator.token())
    small_disk.set_read_only(True)
    lite.start()
    await lite.wait_for("cannot be used as spool (Read-only file system)")
    await lite.inspector.wait_for_count(5)
    small_disk.set_read_only(False)
    await lite.wait_for(f"{lite.spool}: takes all readings again")
    assert lite.stop() == 0
    assert lite.recorder.timestamps - lite.inspector.timestamps <= {max(lite.recorder.timestamps)}


async def test_readings_wait_while_the_databases_disk_is_full(
    create_storing: Callable[..., StoringCommand], small_disk: SmallDisk
) -> None:
    storing = create_storing(f"sqlite:///{small_disk.path / 'lite.db'}")
    storing.start()
    await storing.inspector.wait_for_count(2)
    small_disk.fill()
    await storing.wait_for("the disk is full; readings wait on disk")
    before = len(storing.recorder)
    await wait_until(lambda: len(storing.recorder) >= before + 5)
    small_disk.free()
    await storing.wait_for("readings are stored again")
    assert storing.stop() == 0
    assert storing.recorder.timestamps - storing.inspector.timestamps <= {max(storing.recorder.timestamps)}


async def test_readings_wait_while_the_databases_disk_is_read_only(
    create_storing: Callable[..., StoringCommand], small_disk: SmallDisk
) -> None:
    storing = create_storing(f"sqlite:///{small_disk.path / 'lite.db'}")
    storing.start()
    await storing.inspector.wait_for_count(2)
    assert storing.stop() == 0
    small_disk.set_read_only(True)
    storing.start()
    await storing.wait_for("its disk is read-only; readings wait on disk")
    before = len(storing.recorder)
    await wait_until(lambda: len(storing.recorder) >= before + 3)
    small_disk.set_read_only(False)
    await storing.wait_for("readings are stored again", within=40)
    assert storing.stop() == 0
    # The last answer before each stop may have been interrupted.
    assert len(storing.recorder.timestamps - storing.inspector.timestamps) <= 2


async def test_readings_wait_in_memory_while_spool_and_database_share_a_full_disk(
    create_storing: Callable[..., StoringCommand], small_disk: SmallDisk
) -> None:
    storing = create_storing(f"sqlite:///{small_disk.path / 'lite.db'}")
    storing.spool = small_disk.path / "spool"
    storing.write_settings(gateway_token=storing.user.simulator.token())
    storing.start()
    await storing.inspector.wait_for_count(2)
    small_disk.fill()
    await storing.wait_for("readings wait in memory")
    before = len(storing.recorder)
    await wait_until(lambda: len(storing.recorder) >= before + 5)
    small_disk.free()
    await storing.wait_for("readings are stored again")
    assert storing.stop() == 0
    assert storing.recorder.timestamps - storing.inspector.timestamps <= {max(storing.recorder.timestamps)}
    assert "lost." not in storing.output


@pytest.mark.parametrize("age", [0, 3])
async def test_a_power_cut_costs_no_stored_reading_and_only_the_last_others(
    lite: StoringCommand, tmp_path: Path, age: int
) -> None:
    lite.write_settings(gateway_token=lite.user.simulator.token(), flush_interval=age)
    lite.start()
    await lite.inspector.wait_for_count(1)
    file = Path(str(make_url(lite.url).database))
    for number in range(4):
        await asyncio.sleep(random.uniform(0.5, 2))
        stored = lite.inspector.timestamps
        lite.pause()
        read = sorted(lite.recorder.timestamps)
        # What the disk holds at this moment, with a commit perhaps half written.
        for ending in ("", "-wal"):
            shutil.copy(f"{file}{ending}", tmp_path / f"copy-{number}{ending}")
        lite.resume()
        copy = DatabaseInspector(f"sqlite:///{tmp_path / f'copy-{number}'}")
        assert copy.query("PRAGMA integrity_check") == [("ok",)]
        kept = copy.timestamps
        assert stored <= kept
        assert kept == set(read[: len(kept)]), "without a gap up to the last commit"
    before = lite.inspector.timestamps
    lite.kill()
    read = sorted(lite.recorder.timestamps)
    kept = lite.inspector.timestamps
    assert before <= kept
    assert kept == set(read[: len(kept)])
    await lite.start_and_wait()
    await lite.inspector.wait_for_count(len(kept) + 2)
    assert lite.stop() == 0
    assert lite.inspector.timestamps & set(read) == kept, "what is lost stays a gap"


async def test_a_reading_waits_in_memory_no_longer_than_for_its_batch(
    mariadb: MariaDB, maria: StoringCommand
) -> None:
    """So a kill costs what `flush_interval` says, even in an outage of the database."""
    maria.write_settings(gateway_token=maria.user.simulator.token(), flush_interval=1)
    maria.start()
    await maria.inspector.wait_for_count(2)
    mariadb.pause()
    first = max(maria.recorder.timestamps)
    await wait_until(lambda: len([at for at in maria.recorder.timestamps if at > first]) >= 8)
    maria.kill()
    read = sorted(at for at in maria.recorder.timestamps if at > first)
    spooled = set(maria.get_spooled())
    assert read[0] in spooled
    assert {at for at in read if at <= max(spooled)} <= spooled
    mariadb.resume()
    await maria.start_and_wait()
    await maria.inspector.wait_for(sorted(spooled))
    assert maria.stop() == 0


async def test_a_partial_batch_is_stored_when_the_command_stops(lite: StoringCommand) -> None:
    lite.write_settings(gateway_token=lite.user.simulator.token(), flush_interval=60)
    lite.start()
    await lite.inspector.wait_for_count(1)
    first = lite.inspector.timestamps
    await wait_until(lambda: len(lite.recorder) >= 4)
    assert lite.inspector.timestamps == first
    assert lite.stop() == 0
    assert lite.recorder.timestamps - lite.inspector.timestamps <= {max(lite.recorder.timestamps)}
    assert lite.get_spooled() == []


async def test_a_missing_answer_is_a_gap_and_never_zero(lite: StoringCommand) -> None:
    lite.start()
    await lite.inspector.wait_for_count(2)
    faults = lite.user.simulator.faults
    faults.set("status", path=READINGS)
    await lite.wait_for("retrying")
    before = lite.inspector.timestamps
    await asyncio.sleep(1.5)
    assert len(lite.inspector.timestamps - before) <= 1
    faults.clear()
    await lite.inspector.wait_for_count(len(before) + 3)
    assert lite.stop() == 0
    truth = lite.recorder.truth
    assert all(values == truth[key] for key, values in lite.inspector.stored.items())


async def test_the_sum_of_microinverters_is_stored_for_a_gateway_without_meters(
    create_storing: Callable[..., StoringCommand], tmp_path: Path
) -> None:
    storing = create_storing(f"sqlite:///{tmp_path / 'lite.db'}", "no-meters")
    storing.start()
    await storing.inspector.wait_for_count(1)
    assert storing.stop() == 0
    (((at, measurement, phase), (power, produced, _)),) = storing.inspector.stored.items()
    assert (measurement, phase) == ("production", 0)
    truth = storing.user.simulator.house.truth(at / 1000).production.total
    assert power == pytest.approx(truth.active_power, rel=0.1)
    assert produced == pytest.approx(truth.energy_delivered, rel=0.001)


async def test_no_token_is_sent_to_an_untrusted_certificate_until_it_is_trusted(
    lite: StoringCommand,
) -> None:
    simulator = lite.user.simulator
    lite.start()
    await lite.inspector.wait_for_count(2)
    await asyncio.to_thread(simulator.renew_certificate, same_key=False)
    await lite.wait_for("the gateway now shows another certificate")
    assert simulator.fingerprint in lite.output
    heard = len(simulator.requests)
    await asyncio.sleep(1.5)
    assert len(simulator.requests) == heard
    lite.user.trust_gateway()
    await lite.wait_for("gateway can be read again")
    await lite.inspector.wait_for_count(len(lite.inspector.timestamps) + 2)
    assert lite.stop() == 0


async def test_an_expired_token_is_logged_and_its_replacement_is_used(lite: StoringCommand) -> None:
    simulator = lite.user.simulator
    lite.start()
    await lite.inspector.wait_for_count(2)
    lite.write_settings(gateway_token=simulator.token(issued_ago=90_000, lifetime=86_400))
    for path in (READINGS, "/auth/check_jwt"):
        simulator.faults.set("refuse", path=path)
    await lite.wait_for("gateway_token: the token expired on")
    assert lite.is_running
    simulator.faults.clear()
    lite.write_settings(gateway_token=simulator.token())
    await lite.wait_for("gateway can be read again")
    await lite.inspector.wait_for_count(len(lite.inspector.timestamps) + 2)
    assert lite.stop() == 0


@pytest.mark.slow
async def test_secrets_never_appear_in_the_debug_log_or_command_line(
    mariadb: MariaDB, maria: StoringCommand
) -> None:
    simulator = maria.user.simulator
    token = simulator.token()
    maria.write_settings(gateway_token=token, enphase_username=USERNAME, enphase_password=PASSWORD)
    user = "planted"
    password = "hunter2/@ %secret"
    url = make_url(maria.url)
    for statement in (
        f"CREATE OR REPLACE USER {user} IDENTIFIED BY '{password}'",
        f"GRANT ALL ON {url.database}.* TO {user}",
    ):
        await asyncio.to_thread(execute, url, statement)
    planted_url = url.set(username=user, password=password).render_as_string(hide_password=False)
    wrong = planted_url.replace("hunter2", "hunter3")
    maria.write_settings(gateway_token=token, database_url=wrong)
    maria.start("-v")
    assert maria.process is not None
    assert await asyncio.to_thread(maria.process.wait, 20) == 1
    assert "refuses user name or password" in maria.output
    maria.write_settings(gateway_token=token, database_url=planted_url)
    maria.start("-v")
    await maria.inspector.wait_for_count(2)
    command_line = maria.command_line
    simulator.faults.set("refuse", path=READINGS)
    await maria.wait_for("the gateway does not allow")
    await asyncio.to_thread(mariadb.kill)
    simulator.faults.clear()
    maria.write_settings(gateway_token=token, database_url=planted_url)
    await maria.wait_for("readings wait on disk")
    assert maria.stop() == 0
    everything = maria.output + command_line
    assert "DEBUG" in everything
    planted = (token, token[-20:], "hunter2", "hunter3", "secret", PASSWORD, USERNAME)
    assert [secret for secret in planted if secret in everything] == []
    sessions = re.findall(r"sessionId=([^;\s]+)", everything)
    assert all(session.startswith("[hidden]") for session in sessions)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"interval": 0.1}, "interval: must be a number of seconds from 1 to 3600"),
        ({"batch_size": 0}, "batch_size: must be a number from 1 to 10000"),
        ({"batch_size": 2.5}, "batch_size: must be a whole number"),
        ({"flush_interval": 61}, "flush_interval: must be a number of seconds from 0 to 60"),
        ({"spool_limit": 0}, "spool_limit: must be a number from 1"),
        ({"database_host": 5}, "database_host: must be a text"),
        ({"gateway_host": "ftp://envoy.local"}, "gateway_host: the address must begin with https://"),
    ],
)
def test_the_error_names_an_invalid_setting_before_any_request(
    user: CliUser, changed: dict[str, Any], message: str
) -> None:
    assert_setting_rejected(user, main, changed, message)


@pytest.mark.parametrize(
    ("url", "status", "message"),
    [
        ("postgresql://user:hunter2@host/db", 2, "postgresql is not supported"),
        ("hunter2", 2, "database_url: not the URL of a database"),
        ("sqlite:////nowhere/at/all.db", 1, "cannot be opened: check that its folder exists"),
    ],
)
def test_the_error_of_an_invalid_database_url_hides_its_password(
    user: CliUser, url: str, status: int, message: str
) -> None:
    user.write_token_settings(
        gateway_token=user.simulator.token(), database_url=url, spool_file=str(user.home / "spool")
    )
    result = user.run(main)
    assert result.status == status
    assert message in result.error
    assert "hunter2" not in result.error
    assert not user.simulator.requests


async def test_systemd_is_notified_once_the_first_reading_is_safe_and_of_the_status(
    lite: StoringCommand, tmp_path: Path
) -> None:
    with capture_notifications(lite.user, tmp_path) as notifications:
        lite.start()
        assert "READY=1" in notifications
        status = re.compile(r"STATUS=[1-9]\d* stored, \d+ in the spool, 0 dropped, 0 readings refused$")
        assert any("WATCHDOG=1" in each and status.search(each) for each in notifications)
        assert lite.stop(signal.SIGINT) == 0
        assert "STOPPING=1" in notifications


def test_a_terminal_shows_the_number_of_stored_readings(lite: StoringCommand) -> None:
    lite.write_settings(gateway_token=lite.user.simulator.token())
    controller, terminal = os.openpty()
    with lite.user.start(NAME, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        with os.fdopen(controller, errors="replace") as screen:
            assert "Ctrl-C ends it." in screen.readline()
            assert re.fullmatch(
                r"\d\d:\d\d [1-9]\d* stored, \d+ in the spool, 0 dropped, 0 readings refused\n",
                screen.readline(),
            )
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_TIMEOUT) == 0


async def test_the_days_of_a_new_database_begin_in_the_configured_time_zone(
    lite: StoringCommand,
) -> None:
    lite.write_settings(gateway_token=lite.user.simulator.token(), time_zone="Asia/Tokyo")
    await lite.start_and_wait()
    lite.stop()
    async with Database(lite.url) as database:
        assert (await database.time_zone()).key == "Asia/Tokyo"

    lite.write_settings(gateway_token=lite.user.simulator.token(), time_zone="Europe/Vienna")
    lite.start()
    await lite.wait_for("enphase-database rebuild --time-zone Europe/Vienna")
    assert lite.process is not None
    assert lite.process.wait(10) == 1
