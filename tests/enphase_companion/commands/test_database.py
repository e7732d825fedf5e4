"""The actions of enphase-database: status, upgrade, import, prune, rebuild and partition."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import make_url

from enphase_api.models import Quantities
from enphase_companion.commands.database import main
from enphase_companion.message import Message, Sample
from enphase_companion.storage import Database, schema
from tests.enphase_companion.storage.helpers import EnphaseApiDatabase

GATEWAY = "122300000001"
VIENNA = ZoneInfo("Europe/Vienna")


def build_message(at: datetime) -> Message:
    quantities = Quantities(active_power=1000.0, energy_delivered=at.timestamp() / 3.6)
    seconds = round(at.timestamp())
    return Message(GATEWAY, seconds, (Sample("production", 0, seconds * 1000, quantities),), None)


class Result:
    """The exit status and output of a command."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


class CliUser:
    """A user in an empty folder who runs actions on a database."""

    def __init__(self, url: str, capture: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self.capture = capture
        self.newest: datetime | None = None

    def run(self, *arguments: str) -> Result:
        self.capture.readouterr()
        try:
            status = main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        return Result(status, *self.capture.readouterr())

    def store(self, messages: Sequence[Message]) -> None:
        async def write() -> None:
            async with Database(self.url, VIENNA) as database:
                await database.upgrade()
                await database.write(messages)
                await database.roll_up()

        asyncio.run(write())

    def count_readings(self) -> int:
        async def count() -> int:
            async with Database(self.url) as database:
                points = await database.series(GATEWAY, "production", 0, 4_102_444_800_000, 1)
                return len(points)

        return asyncio.run(count())


@pytest.fixture
def user(
    home_folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CliUser:
    monkeypatch.setenv("ENPHASE_DATABASE_URL", database_url)
    monkeypatch.setenv("TZ", "Europe/Vienna")
    return CliUser(database_url, capsys)


@pytest.fixture
def fortnight(user: CliUser) -> CliUser:
    # Use UTC: in local time, a clock change would skip or repeat readings.
    user.newest = datetime.now(UTC)
    user.store([build_message(user.newest - timedelta(minutes=10 * i)) for i in range(14 * 144)])
    return user


def test_without_settings_a_file_in_the_working_directory_is_used(
    home_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TZ", "America/Havana")
    user = CliUser("sqlite:///enphase.db", capsys)
    missing = user.run("status")
    assert missing.status == 1
    assert missing.err.startswith(f"error: {home_folder / 'enphase.db'}: no such file: if yours is else")
    assert user.run("upgrade").out == "enphase.db: the tables are up to date\n"
    assert (home_folder / "enphase.db").exists()
    found = user.run("status")
    assert found.status == 0
    assert "days of America/Havana" in found.out
    assert "no readings yet" in found.out


def test_the_status_names_gateways_and_their_time_range(fortnight: CliUser) -> None:
    found = fortnight.run("status")
    assert found.status == 0
    first, *connection, gateway, waiting = found.out.splitlines()
    is_file = fortnight.url.startswith("sqlite")
    assert connection == ([] if is_file else ["connection: not encrypted, but stays on this machine"])
    assert "tables of version 0002, days of Europe/Vienna, " in first
    assert gateway.startswith(f"{GATEWAY}: readings from ")
    assert fortnight.newest is not None
    assert f"to {fortnight.newest.astimezone(VIENNA):%Y-%m-%d}" in gateway
    assert waiting.startswith("pending rollups: ")
    # For some seconds after midnight, the day before is pending, too.
    assert waiting.endswith(("1 day", "2 days"))


def test_the_time_zone_of_a_new_database_can_be_set(user: CliUser) -> None:
    assert user.run("upgrade", "--time-zone", "Asia/Tokyo").status == 0
    assert "days of Asia/Tokyo" in user.run("status").out
    rejected = user.run("upgrade", "--time-zone", "Europe/Paris")
    assert rejected.status == 1
    assert "rebuild --time-zone Europe/Paris" in rejected.err
    assert user.run("rebuild", "--time-zone", "Europe/Paris").status == 0
    assert "days of Europe/Paris" in user.run("status").out
    nowhere = user.run("upgrade", "--time-zone", "Middle/Earth")
    assert nowhere.status == 2
    assert nowhere.err == ("error: --time-zone: must be the name of a time zone, such as Europe/Vienna\n")


@pytest.mark.slow
def test_pruning_keeps_the_given_number_of_days(fortnight: CliUser) -> None:
    rejected = fortnight.run("prune")
    assert rejected.status == 2
    assert "keep_readings" in rejected.err
    assert fortnight.count_readings() == 14 * 144

    pruned = fortnight.run("prune", "--keep-readings", "3", "--keep-minutes", "10")
    assert pruned.status == 0
    lines = pruned.out.splitlines()
    assert "readings, kept the last 3 days" in lines[0]
    assert "minutes, kept the last 10 days" in lines[1]
    assert 3 * 144 <= fortnight.count_readings() <= 4 * 144 + 6


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("status", "--keep-readings", "9"), "--keep-readings is an option of prune, not of status"),
        (("--keep-minutes", "9", "rebuild"), "--keep-minutes is an option of prune, not of rebuild"),
        (
            ("upgrade", "--keep-quarter-hours", "9"),
            "--keep-quarter-hours is an option of prune, not of upgrade",
        ),
        (
            ("prune", "--time-zone", "Asia/Tokyo"),
            "--time-zone is an option of upgrade or import or rebuild or import-home-assistant, not of",
        ),
        (
            ("status", "--time-zone", "Asia/Tokyo"),
            "--time-zone is an option of upgrade or import or rebuild or import-home-assistant, not of",
        ),
        (
            ("rebuild", "--gateway-serial-number", GATEWAY),
            "--gateway-serial-number is an option of import or export-home-assistant or import-home-",
        ),
        (
            ("status", "--dry-run"),
            "--dry-run is an option of export-home-assistant and import-home-assistant",
        ),
        (("import-home-assistant", "--replace"), "--replace is an option of export-home-assistant"),
        (
            ("export-home-assistant", "--from", "year"),
            "argument --from: must be a date such as 2026-06-21, or a time such as 2026-06-21T08:00",
        ),
        (
            ("export-home-assistant", "--from", "2026-06-21", "--to", "2026-06-20"),
            "--to: 2026-06-20 is not after 2026-06-21",
        ),
    ],
)
def test_an_option_of_another_action_is_rejected(
    home_folder: Path, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], expected: str
) -> None:
    rejected = CliUser("", capsys).run(*arguments)
    assert rejected.status == 2
    assert expected in rejected.err
    assert not list(home_folder.iterdir())


def test_the_file_may_contain_settings_of_other_actions(
    user: CliUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENPHASE_KEEP_READINGS", "many")
    assert user.run("upgrade").status == 0
    assert user.run("prune").status == 2


def test_the_error_of_a_path_as_database_url_names_the_url(
    home_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENPHASE_DATABASE_URL", "enphase.db")
    rejected = CliUser("", capsys).run("status")
    assert rejected.status == 2
    assert rejected.err == (
        "error: database_url: enphase.db is not a URL: write sqlite:///enphase.db for this file\n"
    )


@pytest.mark.parametrize("name", ["ENPHASE_DATABASE_URL", "ENPHASE_IMPORT_DATABASE_URL"])
@pytest.mark.parametrize(
    "url", ["mysql://me:Pa@WORD@db.lan/x", "me:Pa@WORD@db.lan", "mysql://me:pa#WORD@db.lan/x"]
)
def test_no_part_of_a_password_with_an_at_sign_is_printed(
    home_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    url: str,
) -> None:
    monkeypatch.setenv(name, url)
    rejected = CliUser("", capsys).run("-v", "import", "--gateway-serial-number", GATEWAY)
    assert rejected.status == 2
    assert "WORD" not in rejected.out + rejected.err
    assert "must look like" in rejected.err


@pytest.mark.slow
def test_a_rebuild_prints_its_result(fortnight: CliUser) -> None:
    assert fortnight.run("rebuild").out.endswith("rebuilt minutes, quarter-hours and days\n")


def test_a_partition_prints_its_result(user: CliUser, database_url: str) -> None:
    user.run("upgrade")
    ended = user.run("partition")
    if database_url.startswith("sqlite"):
        assert ended.status == 1
        assert "only readings in MariaDB or MySQL can be partitioned" in ended.err
    else:
        assert ended.out.endswith("the readings are partitioned by month, for a year ahead\n")


def test_the_sql_schema_is_printed_without_a_database(
    home_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = CliUser("", capsys).run("upgrade", "--sql")
    assert printed.status == 0
    assert printed.out == schema.render_sql()
    assert not list(home_folder.iterdir())
    assert CliUser("", capsys).run("status", "--sql").status == 2


@pytest.mark.services
def test_a_database_of_enphase_api_is_imported_with_its_settings(
    home_folder: Path,
    mariadb_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Enphase-API's settings have no port, so `import_database_url` is used here."""
    source = EnphaseApiDatabase(make_url(mariadb_url))
    source.add(range(1_760_000_000_000, 1_760_000_500_000, 1000))
    monkeypatch.setenv("ENPHASE_IMPORT_DATABASE_URL", mariadb_url)
    user = CliUser("sqlite:///enphase.db", capsys)
    rejected = user.run("import")
    assert rejected.status == 2
    assert "gateway_serial_number" in rejected.err
    done = user.run("import", "--gateway-serial-number", GATEWAY)
    assert done.err == ""
    assert done.out == f"enphase.db: imported 500 readings of gateway {GATEWAY}\n"
    assert user.count_readings() == 500
    assert user.run("import", "--gateway-serial-number", GATEWAY).out.startswith(
        "enphase.db: imported 0 readings"
    )


def test_no_action_prints_a_password(
    home_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home_folder / "configuration"
    folder.mkdir()
    file = folder / "credentials_token.json"
    file.write_text(
        json.dumps(
            {
                "database_host": "127.0.0.1:1",
                "database_username": "me",
                "database_password": "sesame-open-up",
                "import_database_url": "mysql://me:another-secret@127.0.0.1:1/Enphase",
                "gateway_serial_number": GATEWAY,
            }
        )
    )
    file.chmod(0o600)
    monkeypatch.setenv("ENPHASE_KEEP_READINGS", "1")
    user = CliUser("", capsys)
    for action in ("status", "upgrade", "import", "prune", "rebuild", "partition"):
        ended = user.run("-v", action)
        assert ended.status == 1, action
        assert "sesame" not in ended.out + ended.err
        assert "another-secret" not in ended.out + ended.err
        assert ended.err.splitlines()[-1].startswith("error: Enphase on 127.0.0.1")


@pytest.mark.slow
def test_an_interrupted_rebuild_can_be_repeated(user: CliUser, database_url: str) -> None:
    now = datetime.now(UTC)
    user.store([build_message(now - timedelta(seconds=30 * i)) for i in range(30_000)])
    command = [sys.executable, "-m", "enphase_companion.commands.database", "rebuild"]
    script = Path(__file__).parents[3] / "scripts" / "database.py"
    with subprocess.Popen(
        [sys.executable, str(script), *command[3:]],
        env={**os.environ, "ENPHASE_DATABASE_URL": database_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as rebuilding:
        time.sleep(1.5)
        rebuilding.send_signal(signal.SIGTERM)
        output, _ = rebuilding.communicate(timeout=60)
    # By the signal itself: before the command handles it, or when it has ended.
    assert rebuilding.returncode in {143, 0, -signal.SIGTERM}, output
    assert "Traceback" not in output
    assert user.run("rebuild").status == 0
    assert user.count_readings() == 30_000


def test_help_does_not_import_the_database_packages(tmp_path: Path) -> None:
    script = (
        "import sys; from enphase_companion.commands.database import build_parser; build_parser();"
        "print([name for name in ('sqlalchemy', 'alembic', 'rich', 'voluptuous') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert run.stdout == "[]\n"
