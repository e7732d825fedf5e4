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

from ..amqp_helpers import until
from ..cli_user import PASSWORD, USERNAME, CliUser
from .running import READINGS, Command, Eyes, Given, assert_refused, assert_same, heard_by_systemd

pytestmark = pytest.mark.slow


@dataclass
class Storing(Command):
    """The command, with what its gateway gave and the database that it writes to."""

    url: str = ""
    given: Given | None = None
    spool: Path = Path()

    def writes(self, **settings: Any) -> None:
        self.owner.writes_token_file(
            **{
                "gateway_host": self.owner.simulator.url,
                "database_url": self.url,
                "spool_file": str(self.spool),
                "interval": 0.5,
                "flush_interval": 0.3,
                **settings,
            }
        )

    @property
    def eyes(self) -> Eyes:
        return Eyes(self.url)

    @property
    def gave(self) -> Given:
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
def new_storing(new_owner: Callable[..., CliUser], tmp_path: Path) -> Iterator[Callable[..., Storing]]:
    """Yield what makes the command with a gateway of this profile and a database at this address."""
    made = []

    def make(url: str, profile: str = "battery", **options: Any) -> Storing:
        # Ten house seconds between two readings: no two are of the same one.
        owner = new_owner(profile, speed=20, **options)
        owner.trusts()
        storing = Storing(owner, NAME, tmp_path / "log", url=url, spool=owner.home / "spool")
        storing.given = Given.by(owner.simulator, owner.patch)
        storing.writes(gateway_token=owner.simulator.token())
        made.append(storing)
        return storing

    yield make
    for storing in made:
        storing.is_killed()


async def test_what_the_gateway_gave_stands_in_the_database_exactly_once(
    new_storing: Callable[..., Storing], database_url: str
) -> None:
    storing = new_storing(database_url)
    storing.starts()
    await storing.eyes.counts(6)
    assert storing.ends() == 0
    # The last answer may have been cut off.
    truth = storing.gave.truth
    last = max(storing.gave.moments)
    stored = storing.eyes.stored
    assert_same(stored, {key: truth[key] for key in truth if key[0] != last or key in stored})
    assert {key[1] for key in stored} == {"production", "net-consumption", "storage"}
    assert len(storing.output.splitlines()) == 1, "nothing but where the readings go"


async def test_what_has_ended_is_rolled_up(new_storing: Callable[..., Storing], database_url: str) -> None:
    storing = new_storing(database_url, start=1_764_000_000)
    storing.starts()
    await storing.eyes.counts(12)
    minutes = "SELECT DISTINCT bucket_start FROM minutes"
    await until(lambda: len(storing.eyes.query(minutes)) >= 2)
    assert storing.ends() == 0


@pytest.mark.slow
async def test_no_reading_is_lost_while_the_database_is_killed_and_back(
    mariadb: MariaDB, maria: Storing
) -> None:
    maria.starts()
    await maria.eyes.counts(3)
    await asyncio.to_thread(mariadb.kill)
    before = len(maria.gave)
    await until(lambda: len(maria.gave) >= before + 6)
    await maria.sees("readings wait on disk")
    await asyncio.to_thread(mariadb.start)
    await maria.sees("readings are stored again")
    assert maria.ends() == 0
    assert maria.gave.moments - maria.eyes.moments <= {max(maria.gave.moments)}
    assert maria.output.count("warning:") < 6, maria.output


@pytest.mark.slow
async def test_it_begins_without_the_database_and_makes_its_tables_when_it_is_there(
    mariadb: MariaDB, maria: Storing
) -> None:
    await asyncio.to_thread(mariadb.kill)
    maria.starts()
    await until(lambda: len(maria.gave) >= 3)
    await asyncio.to_thread(mariadb.start)
    await maria.eyes.sees(maria.gave.moments)
    assert maria.ends() == 0


@pytest.mark.slow
async def test_it_ends_within_five_seconds_while_the_database_hangs_and_the_next_start_stores_the_rest(
    mariadb: MariaDB, maria: Storing
) -> None:
    maria.starts()
    await maria.eyes.counts(2)
    mariadb.pause()
    before = len(maria.gave)
    await until(lambda: len(maria.gave) >= before + 3)
    assert maria.ends() == 0
    asked = maria.gave.moments
    waited = maria.waiting()
    assert len(set(waited)) >= 2
    mariadb.resume()
    await maria.begins()
    await maria.eyes.sees(waited)
    assert maria.ends() == 0
    assert asked - maria.eyes.moments <= {max(asked)}


async def test_it_ends_within_five_seconds_while_another_program_locks_the_database(lite: Storing) -> None:
    lite.starts()
    await lite.eyes.counts(2)
    locking = sqlite3.connect(str(make_url(lite.url).database), isolation_level=None)
    locking.execute("BEGIN IMMEDIATE")
    before = len(lite.gave)
    await until(lambda: len(lite.gave) >= before + 3)
    assert lite.ends() == 0
    locking.close()
    await lite.begins()
    await lite.eyes.sees(lite.gave.moments - {max(lite.gave.moments)})
    assert lite.ends() == 0


async def test_it_begins_on_a_full_disk_and_stores_elsewhere(lite: Storing, small_disk: SmallDisk) -> None:
    lite.spool = small_disk.path / "spool"
    lite.writes(gateway_token=lite.owner.simulator.token())
    small_disk.fill()
    lite.starts()
    await lite.sees("cannot be used as spool (database or disk is full)")
    await lite.eyes.counts(5)
    small_disk.free()
    await lite.sees(f"{lite.spool}: takes all readings again")
    assert lite.ends() == 0
    assert lite.gave.moments - lite.eyes.moments <= {max(lite.gave.moments)}
    assert "lost." not in lite.output


async def test_a_disk_that_was_mounted_read_only_costs_no_reading(
    lite: Storing, small_disk: SmallDisk
) -> None:
    lite.spool = small_disk.path / "spool"
    lite.writes(gateway_token=lite.owner.simulator.token())
    small_disk.is_read_only(True)
    lite.starts()
    await lite.sees("cannot be used as spool (Read-only file system)")
    await lite.eyes.counts(5)
    small_disk.is_read_only(False)
    await lite.sees(f"{lite.spool}: takes all readings again")
    assert lite.ends() == 0
    assert lite.gave.moments - lite.eyes.moments <= {max(lite.gave.moments)}


async def test_what_the_databases_full_disk_does_not_take_waits_and_is_stored_when_there_is_room(
    new_storing: Callable[..., Storing], small_disk: SmallDisk
) -> None:
    storing = new_storing(f"sqlite:///{small_disk.path / 'lite.db'}")
    storing.starts()
    await storing.eyes.counts(2)
    small_disk.fill()
    await storing.sees("the disk is full; readings wait on disk")
    before = len(storing.gave)
    await until(lambda: len(storing.gave) >= before + 5)
    small_disk.free()
    await storing.sees("readings are stored again")
    assert storing.ends() == 0
    assert storing.gave.moments - storing.eyes.moments <= {max(storing.gave.moments)}


async def test_a_database_on_a_disk_that_was_mounted_read_only_is_waited_for(
    new_storing: Callable[..., Storing], small_disk: SmallDisk
) -> None:
    storing = new_storing(f"sqlite:///{small_disk.path / 'lite.db'}")
    storing.starts()
    await storing.eyes.counts(2)
    assert storing.ends() == 0
    small_disk.is_read_only(True)
    storing.starts()
    await storing.sees("its disk is read-only; readings wait on disk")
    before = len(storing.gave)
    await until(lambda: len(storing.gave) >= before + 3)
    small_disk.is_read_only(False)
    await storing.sees("readings are stored again", within=40)
    assert storing.ends() == 0
    # The last before each end may have been cut off.
    assert len(storing.gave.moments - storing.eyes.moments) <= 2


async def test_while_spool_and_database_share_a_full_disk_readings_wait_in_memory(
    new_storing: Callable[..., Storing], small_disk: SmallDisk
) -> None:
    storing = new_storing(f"sqlite:///{small_disk.path / 'lite.db'}")
    storing.spool = small_disk.path / "spool"
    storing.writes(gateway_token=storing.owner.simulator.token())
    storing.starts()
    await storing.eyes.counts(2)
    small_disk.fill()
    await storing.sees("readings wait in memory")
    before = len(storing.gave)
    await until(lambda: len(storing.gave) >= before + 5)
    small_disk.free()
    await storing.sees("readings are stored again")
    assert storing.ends() == 0
    assert storing.gave.moments - storing.eyes.moments <= {max(storing.gave.moments)}
    assert "lost." not in storing.output


@pytest.mark.parametrize("age", [0, 60])
async def test_what_was_read_outlasts_a_kill(lite: Storing, age: float) -> None:
    lite.writes(gateway_token=lite.owner.simulator.token(), flush_interval=age)
    lite.starts()
    await until(lambda: len(lite.gave) >= 4)
    lite.is_killed()
    asked = lite.gave.moments
    lite.writes(gateway_token=lite.owner.simulator.token())
    await lite.begins()
    await lite.eyes.sees(sorted(asked)[:-1])
    assert lite.ends() == 0


async def test_what_waits_for_others_is_stored_at_the_end(lite: Storing) -> None:
    lite.writes(gateway_token=lite.owner.simulator.token(), flush_interval=60)
    lite.starts()
    await until(lambda: len(lite.gave) >= 4)
    assert lite.eyes.moments == set()
    assert lite.ends() == 0
    assert lite.gave.moments - lite.eyes.moments <= {max(lite.gave.moments)}
    assert lite.waiting() == []


async def test_what_the_gateway_did_not_say_is_a_gap_and_never_zero(lite: Storing) -> None:
    lite.starts()
    await lite.eyes.counts(2)
    faults = lite.owner.simulator.faults
    faults.set("status", path=READINGS)
    await lite.sees("retrying")
    before = lite.eyes.moments
    await asyncio.sleep(1.5)
    assert len(lite.eyes.moments - before) <= 1
    faults.clear()
    await lite.eyes.counts(len(before) + 3)
    assert lite.ends() == 0
    truth = lite.gave.truth
    assert all(values == truth[key] for key, values in lite.eyes.stored.items())


async def test_of_a_gateway_without_meters_the_microinverters_sum_is_stored(
    new_storing: Callable[..., Storing], tmp_path: Path
) -> None:
    storing = new_storing(f"sqlite:///{tmp_path / 'lite.db'}", "no-meters")
    storing.starts()
    await storing.eyes.counts(1)
    assert storing.ends() == 0
    (((at, measurement, phase), (power, produced, _)),) = storing.eyes.stored.items()
    assert (measurement, phase) == ("production", 0)
    truth = storing.owner.simulator.house.truth(at / 1000).production.total
    assert power == pytest.approx(truth.active_power, rel=0.1)
    assert produced == pytest.approx(truth.energy_delivered, rel=0.001)


async def test_another_certificate_stops_it_before_a_token_leaves_and_trust_sets_it_going(
    lite: Storing,
) -> None:
    simulator = lite.owner.simulator
    lite.starts()
    await lite.eyes.counts(2)
    await asyncio.to_thread(simulator.renew_certificate, same_key=False)
    await lite.sees("the gateway now shows another certificate")
    assert simulator.fingerprint in lite.output
    heard = len(simulator.requests)
    await asyncio.sleep(1.5)
    assert len(simulator.requests) == heard
    lite.owner.trusts()
    await lite.sees("gateway can be read again")
    await lite.eyes.counts(len(lite.eyes.moments) + 2)
    assert lite.ends() == 0


async def test_a_token_that_ends_in_mid_run_is_told_and_a_new_one_is_taken(lite: Storing) -> None:
    simulator = lite.owner.simulator
    lite.starts()
    await lite.eyes.counts(2)
    lite.writes(gateway_token=simulator.token(issued_ago=90_000, lifetime=86_400))
    for path in (READINGS, "/auth/check_jwt"):
        simulator.faults.set("refuse", path=path)
    await lite.sees("gateway_token: the token expired on")
    assert lite.runs
    simulator.faults.clear()
    lite.writes(gateway_token=simulator.token())
    await lite.sees("gateway can be read again")
    await lite.eyes.counts(len(lite.eyes.moments) + 2)
    assert lite.ends() == 0


@pytest.mark.slow
async def test_no_secret_is_in_its_log_at_debug_level_nor_in_its_title(
    mariadb: MariaDB, maria: Storing
) -> None:
    simulator = maria.owner.simulator
    token = simulator.token()
    maria.writes(gateway_token=token, enphase_username=USERNAME, enphase_password=PASSWORD)
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
    maria.writes(gateway_token=token, database_url=wrong)
    maria.starts("-v")
    assert maria.process is not None
    assert await asyncio.to_thread(maria.process.wait, 20) == 1
    assert "refuses user name or password" in maria.output
    maria.writes(gateway_token=token, database_url=theirs)
    maria.starts("-v")
    await maria.eyes.counts(2)
    title = maria.title
    simulator.faults.set("refuse", path=READINGS)
    await maria.sees("the gateway does not allow")
    await asyncio.to_thread(mariadb.kill)
    simulator.faults.clear()
    maria.writes(gateway_token=token, database_url=theirs)
    await maria.sees("readings wait on disk")
    assert maria.ends() == 0
    everything = maria.output + title
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
    owner: CliUser, changed: dict[str, Any], message: str
) -> None:
    assert_refused(owner, main, changed, message)


@pytest.mark.parametrize(
    ("url", "status", "message"),
    [
        ("postgresql://user:hunter2@host/db", 2, "postgresql is not supported"),
        ("hunter2", 2, "database_url: not the URL of a database"),
        ("sqlite:////nowhere/at/all.db", 1, "cannot be opened: check that its folder exists"),
    ],
)
def test_a_database_that_cannot_be_is_named_without_its_password(
    owner: CliUser, url: str, status: int, message: str
) -> None:
    owner.writes_token_file(
        gateway_token=owner.simulator.token(), database_url=url, spool_file=str(owner.home / "spool")
    )
    result = owner.runs(main)
    assert result.status == status
    assert message in result.error
    assert "hunter2" not in result.error
    assert not owner.simulator.requests


async def test_systemd_is_told_when_the_first_reading_is_safe_and_how_it_goes_on(
    lite: Storing, tmp_path: Path
) -> None:
    with heard_by_systemd(lite.owner, tmp_path) as told:
        lite.starts()
        assert "READY=1" in told
        status = re.compile(r"STATUS=[1-9]\d* stored, \d+ in the spool, 0 dropped$")
        assert any("WATCHDOG=1" in each and status.search(each) for each in told)
        assert lite.ends(signal.SIGINT) == 0
        assert "STOPPING=1" in told


def test_at_a_terminal_it_says_how_many_readings_are_stored(lite: Storing) -> None:
    lite.writes(gateway_token=lite.owner.simulator.token())
    ours, theirs = os.openpty()
    with lite.owner.starts(NAME, stdout=theirs, stderr=theirs) as process:
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
    lite.writes(gateway_token=lite.owner.simulator.token(), time_zone="Asia/Tokyo")
    await lite.begins()
    lite.ends()
    async with Database(lite.url) as database:
        assert (await database.time_zone()).key == "Asia/Tokyo"

    lite.writes(gateway_token=lite.owner.simulator.token(), time_zone="Europe/Vienna")
    lite.starts()
    await lite.sees("enphase-database rebuild --time-zone Europe/Vienna")
    assert lite.process is not None
    assert lite.process.wait(10) == 1
