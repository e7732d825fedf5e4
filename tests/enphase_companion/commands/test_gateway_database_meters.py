"""enphase-gateway-database-meters as its owner starts it, with a simulated gateway and real databases."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from enphase_companion.commands.gateway_database_meters import NAME, main
from enphase_companion.delivery.spool import Spool
from enphase_companion.message import decode
from enphase_companion.storage import Database
from tests.services.disk import SmallDisk
from tests.services.mariadb import MariaDB, execute

from ..amqp_helpers import wait_until
from ..cli_user import PASSWORD, USERNAME, CliUser
from .running import (
    READINGS,
    AnswerRecorder,
    Command,
    DatabaseInspector,
    assert_readings_equal,
    assert_setting_rejected,
    capture_notifications,
)

pytestmark = pytest.mark.slow


@dataclass
class Storing(Command):
    """The command, with what its gateway gave and the database that it writes to."""

    url: str = ""
    given: AnswerRecorder | None = None
    spool: Path = Path()

    def write_settings(self, **settings: Any) -> None:
        self.user.write_token_settings(
            **{
                "gateway_host": self.user.simulator.url,
                "database_url": self.url,
                "spool_file": str(self.spool),
                "interval": 0.5,
                "flush_interval": 0.3,
                **settings,
            }
        )

    @property
    def inspector(self) -> DatabaseInspector:
        return DatabaseInspector(self.url)

    @property
    def recorder(self) -> AnswerRecorder:
        assert self.given is not None
        return self.given

    def waiting(self) -> list[int]:
        """Return the moments that wait on disk; to be asked when it has ended."""
        with Spool(self.spool, 10**9) as spool:
            return [
                sample.measured_at
                for _, message in spool.oldest(10_000)
                for sample in decode(message.body).samples
            ]


@pytest.fixture
def new_storing(create_user: Callable[..., CliUser], tmp_path: Path) -> Iterator[Callable[..., Storing]]:
    """Yield what makes the command with a gateway of this profile and a database at this address."""
    made = []

    def make(url: str, profile: str = "battery", **options: Any) -> Storing:
        # Ten house seconds between two readings: no two are of the same one.
        user = create_user(profile, speed=20, **options)
        user.trust_gateway()
        storing = Storing(user, NAME, tmp_path / "log", url=url, spool=user.home / "spool")
        storing.given = AnswerRecorder.attach(user.simulator, user.patch)
        storing.write_settings(gateway_token=user.simulator.token())
        made.append(storing)
        return storing

    yield make
    for storing in made:
        storing.kill()


async def test_what_the_gateway_gave_stands_in_the_database_exactly_once(
    new_storing: Callable[..., Storing], database_url: str
) -> None:
    storing = new_storing(database_url)
    storing.start()
    await storing.inspector.wait_for_count(6)
    assert storing.stop() == 0
    # The last answer may have been cut off.
    truth = storing.recorder.truth
    last = max(storing.recorder.timestamps)
    stored = storing.inspector.stored
    assert_readings_equal(stored, {key: truth[key] for key in truth if key[0] != last or key in stored})
    assert {key[1] for key in stored} == {"production", "net-consumption", "storage"}
    assert len(storing.output.splitlines()) == 1, "nothing but where the readings go"


async def test_what_has_ended_is_rolled_up(new_storing: Callable[..., Storing], database_url: str) -> None:
    storing = new_storing(database_url, start=1_764_000_000)
    storing.start()
    await storing.inspector.wait_for_count(12)
    minutes = "SELECT DISTINCT bucket_start FROM minutes"
    await wait_until(lambda: len(storing.inspector.query(minutes)) >= 2)
    assert storing.stop() == 0


@pytest.mark.slow
async def test_no_reading_is_lost_while_the_database_is_killed_and_back(
    mariadb: MariaDB, maria: Storing
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
async def test_it_begins_without_the_database_and_makes_its_tables_when_it_is_there(
    mariadb: MariaDB, maria: Storing
) -> None:
    await asyncio.to_thread(mariadb.kill)
    maria.start()
    await wait_until(lambda: len(maria.recorder) >= 3)
    await asyncio.to_thread(mariadb.start)
    await maria.inspector.wait_for(maria.recorder.timestamps)
    assert maria.stop() == 0


@pytest.mark.slow
async def test_it_ends_within_five_seconds_while_the_database_hangs_and_the_next_start_stores_the_rest(
    mariadb: MariaDB, maria: Storing
) -> None:
    maria.start()
    await maria.inspector.wait_for_count(2)
    mariadb.pause()
    before = len(maria.recorder)
    await wait_until(lambda: len(maria.recorder) >= before + 3)
    assert maria.stop() == 0
    asked = maria.recorder.timestamps
    waited = maria.waiting()
    assert len(set(waited)) >= 2
    mariadb.resume()
    await maria.start_and_wait()
    await maria.inspector.wait_for(waited)
    assert maria.stop() == 0
    assert asked - maria.inspector.timestamps <= {max(asked)}


async def test_it_ends_within_five_seconds_while_another_program_locks_the_database(lite: Storing) -> None:
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


async def test_it_begins_on_a_full_disk_and_stores_elsewhere(lite: Storing, small_disk: SmallDisk) -> None:
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


async def test_a_disk_that_was_mounted_read_only_costs_no_reading(
    lite: Storing, small_disk: SmallDisk
) -> None:
    lite.spool = small_disk.path / "spool"
    lite.write_settings(gateway_token=lite.user.simulator.token())
    small_disk.is_read_only(True)
    lite.start()
    await lite.wait_for("cannot be used as spool (Read-only file system)")
    await lite.inspector.wait_for_count(5)
    small_disk.is_read_only(False)
    await lite.wait_for(f"{lite.spool}: takes all readings again")
    assert lite.stop() == 0
    assert lite.recorder.timestamps - lite.inspector.timestamps <= {max(lite.recorder.timestamps)}


async def test_what_the_databases_full_disk_does_not_take_waits_and_is_stored_when_there_is_room(
    new_storing: Callable[..., Storing], small_disk: SmallDisk
) -> None:
    storing = new_storing(f"sqlite:///{small_disk.path / 'lite.db'}")
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


async def test_a_database_on_a_disk_that_was_mounted_read_only_is_waited_for(
    new_storing: Callable[..., Storing], small_disk: SmallDisk
) -> None:
    storing = new_storing(f"sqlite:///{small_disk.path / 'lite.db'}")
    storing.start()
    await storing.inspector.wait_for_count(2)
    assert storing.stop() == 0
    small_disk.is_read_only(True)
    storing.start()
    await storing.wait_for("its disk is read-only; readings wait on disk")
    before = len(storing.recorder)
    await wait_until(lambda: len(storing.recorder) >= before + 3)
    small_disk.is_read_only(False)
    await storing.wait_for("readings are stored again", within=40)
    assert storing.stop() == 0
    # The last before each end may have been cut off.
    assert len(storing.recorder.timestamps - storing.inspector.timestamps) <= 2


async def test_while_spool_and_database_share_a_full_disk_readings_wait_in_memory(
    new_storing: Callable[..., Storing], small_disk: SmallDisk
) -> None:
    storing = new_storing(f"sqlite:///{small_disk.path / 'lite.db'}")
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


@pytest.mark.parametrize("age", [0, 60])
async def test_what_was_read_outlasts_a_kill(lite: Storing, age: float) -> None:
    lite.write_settings(gateway_token=lite.user.simulator.token(), flush_interval=age)
    lite.start()
    await wait_until(lambda: len(lite.recorder) >= 4)
    lite.kill()
    asked = lite.recorder.timestamps
    lite.write_settings(gateway_token=lite.user.simulator.token())
    await lite.start_and_wait()
    await lite.inspector.wait_for(sorted(asked)[:-1])
    assert lite.stop() == 0


async def test_what_waits_for_others_is_stored_at_the_end(lite: Storing) -> None:
    lite.write_settings(gateway_token=lite.user.simulator.token(), flush_interval=60)
    lite.start()
    await wait_until(lambda: len(lite.recorder) >= 4)
    assert lite.inspector.timestamps == set()
    assert lite.stop() == 0
    assert lite.recorder.timestamps - lite.inspector.timestamps <= {max(lite.recorder.timestamps)}
    assert lite.waiting() == []


async def test_what_the_gateway_did_not_say_is_a_gap_and_never_zero(lite: Storing) -> None:
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


async def test_of_a_gateway_without_meters_the_microinverters_sum_is_stored(
    new_storing: Callable[..., Storing], tmp_path: Path
) -> None:
    storing = new_storing(f"sqlite:///{tmp_path / 'lite.db'}", "no-meters")
    storing.start()
    await storing.inspector.wait_for_count(1)
    assert storing.stop() == 0
    (((at, measurement, phase), (power, produced, _)),) = storing.inspector.stored.items()
    assert (measurement, phase) == ("production", 0)
    truth = storing.user.simulator.house.truth(at / 1000).production.total
    assert power == pytest.approx(truth.active_power, rel=0.1)
    assert produced == pytest.approx(truth.energy_delivered, rel=0.001)


async def test_another_certificate_stops_it_before_a_token_leaves_and_trust_sets_it_going(
    lite: Storing,
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


async def test_a_token_that_ends_in_mid_run_is_told_and_a_new_one_is_taken(lite: Storing) -> None:
    simulator = lite.user.simulator
    lite.start()
    await lite.inspector.wait_for_count(2)
    lite.write_settings(gateway_token=simulator.token(issued_ago=90_000, lifetime=86_400))
    for path in (READINGS, "/auth/check_jwt"):
        simulator.faults.set("refuse", path=path)
    await lite.wait_for("gateway_token: The token expired on")
    assert lite.is_running
    simulator.faults.clear()
    lite.write_settings(gateway_token=simulator.token())
    await lite.wait_for("gateway can be read again")
    await lite.inspector.wait_for_count(len(lite.inspector.timestamps) + 2)
    assert lite.stop() == 0


@pytest.mark.slow
async def test_no_secret_is_in_its_log_at_debug_level_nor_in_its_title(
    mariadb: MariaDB, maria: Storing
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
    theirs = url.set(username=user, password=password).render_as_string(hide_password=False)
    wrong = theirs.replace("hunter2", "hunter3")
    maria.write_settings(gateway_token=token, database_url=wrong)
    maria.start("-v")
    assert maria.process is not None
    assert await asyncio.to_thread(maria.process.wait, 20) == 1
    assert "refuses user name or password" in maria.output
    maria.write_settings(gateway_token=token, database_url=theirs)
    maria.start("-v")
    await maria.inspector.wait_for_count(2)
    command_line = maria.command_line
    simulator.faults.set("refuse", path=READINGS)
    await maria.wait_for("The gateway does not allow")
    await asyncio.to_thread(mariadb.kill)
    simulator.faults.clear()
    maria.write_settings(gateway_token=token, database_url=theirs)
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
        ({"interval": 0.1}, "interval: must be a number of seconds from 0.5 to 3600"),
        ({"batch_size": 0}, "batch_size: must be a number from 1 to 10000"),
        ({"batch_size": 2.5}, "batch_size: must be a whole number"),
        ({"flush_interval": 61}, "flush_interval: must be a number of seconds from 0 to 60"),
        ({"spool_limit": 0}, "spool_limit: must be a number from 1"),
        ({"database_host": 5}, "database_host: must be a text"),
        ({"gateway_host": "ftp://envoy.local"}, "gateway_host: the address must begin with https://"),
    ],
)
def test_a_setting_that_cannot_be_right_is_named_before_anything_is_done(
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
def test_a_database_that_cannot_be_is_named_without_its_password(
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


async def test_systemd_is_told_when_the_first_reading_is_safe_and_how_it_goes_on(
    lite: Storing, tmp_path: Path
) -> None:
    with capture_notifications(lite.user, tmp_path) as told:
        lite.start()
        assert "READY=1" in told
        status = re.compile(r"STATUS=[1-9]\d* stored, \d+ in the spool, 0 dropped$")
        assert any("WATCHDOG=1" in each and status.search(each) for each in told)
        assert lite.stop(signal.SIGINT) == 0
        assert "STOPPING=1" in told


def test_at_a_terminal_it_says_how_many_readings_are_stored(lite: Storing) -> None:
    lite.write_settings(gateway_token=lite.user.simulator.token())
    ours, theirs = os.openpty()
    with lite.user.start(NAME, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        with os.fdopen(ours, errors="replace") as terminal:
            assert "Ctrl-C ends it." in terminal.readline()
            assert re.fullmatch(
                r"\d\d:\d\d [1-9]\d* stored, \d+ in the spool, 0 dropped\n", terminal.readline()
            )
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0


async def test_the_days_of_a_new_database_begin_in_the_time_zone_that_is_set(
    lite: Storing,
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
