"""History between the database and a real Home Assistant: `enphase-database` as a user runs it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from development.environments import environment
from development.steps import PROJECT
from tests.browser.home import Home, running_home
from tests.hourly_energies import energy_of

pytestmark = [pytest.mark.demo, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

VIENNA = ZoneInfo("Europe/Vienna")
HOUR = 3600

#: The meter and the direction of the counter behind each energy sensor.
COUNTERS = {
    "production_energy": ("production", 0),
    "production_energy_today": ("production", 0),
    "grid_energy_imported": ("net-consumption", 0),
    "grid_energy_exported": ("net-consumption", 1),
    "battery_energy_discharged": ("storage", 0),
    "battery_energy_charged": ("storage", 1),
}
ENERGY = {"unit_of_measurement": "kWh", "unit_class": "energy", "has_sum": True, "mean_type": 0}
#: What the array drew on a day (Wh); the sensor of it is disabled by default.
DRAW = (
    "SELECT energy_received_last - energy_received_first FROM days JOIN measurements ON id = measurement_id"
    " WHERE name = 'production' AND phase = 0 AND bucket_start = ?"
)
POWER = {"unit_of_measurement": "W", "unit_class": "power", "has_sum": False, "mean_type": 1}


def utc(year: int, month: int, day: int, hour: int = 0) -> int:
    """Return a time in UTC in epoch seconds."""
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp())


def day_of(year: int, month: int, day: int, zone: ZoneInfo = VIENNA) -> tuple[int, int]:
    """Return when a local day starts and ends, in epoch seconds."""
    start = datetime(year, month, day, tzinfo=zone)
    return int(start.timestamp()), int((start + timedelta(days=1)).timestamp())


def energy(key: str, hour: int) -> float:
    """Return the energy (Wh) that a sensor counts in the hour that starts then."""
    if key == "home_energy":
        parts = [energy_of(name, hour // HOUR) for name in ("production", "net-consumption", "storage")]
        return max(sum(delivered - received for delivered, received in parts), 0.0)
    measurement, direction = COUNTERS[key]
    return energy_of(measurement, hour // HOUR)[direction]


@dataclass
class User:
    """A user with a home and scripts beside it."""

    home: Home
    sensors: Mapping[str, str]
    token: str
    folder: Path
    #: The Python of the scripts, which need other packages than Home Assistant.
    python: str

    def fill(self, start: int, end: int, *, reset: int = 0, zone: str = "Europe/Vienna") -> Path:
        """Return a new database with the readings of this time."""
        file = self.folder / f"{zone.replace('/', '-')}-{start}.db"
        filler = "tests.enphase_companion.home_assistant.fill_database"
        words = [f"sqlite:///{file}", zone, self.home.gateway.serial_number, start, end, reset]
        subprocess.run([self.python, "-m", filler, *map(str, words)], check=True, cwd=PROJECT)
        return file

    async def run(
        self, file: Path, *words: str, token: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `enphase-database` and return its result."""
        settings = {
            "ENPHASE_DATABASE_URL": f"sqlite:///{file}",
            "ENPHASE_HOME_ASSISTANT_TOKEN": token or self.token,
            "TZ": "Europe/Vienna",
        }
        command = [self.python, str(PROJECT / "scripts" / "database.py"), *words]
        return await asyncio.to_thread(
            subprocess.run,
            [*command, "--home-assistant-url", self.home.process.url],
            env={**os.environ, **settings, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            cwd=self.folder,
        )

    async def export(self, file: Path, *words: str) -> str:
        """Export to Home Assistant, and return the last line of the output."""
        done = await self.run(file, "export-home-assistant", *words)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        return done.stdout.splitlines()[-1].partition(": ")[2]

    async def count(self, key: str, hours: Sequence[int]) -> None:
        """Let Home Assistant have counted in these hours, what flowed between them in the hour of return."""
        total, rows, wanted = 0.0, [], set(hours)
        for hour in range(hours[0], hours[-1] + HOUR, HOUR):
            total += energy(key, hour)
            if hour in wanted:
                rows.append({"start": to_text(hour), "sum": total / 1000, "state": (total + 5e6) / 1000})
        await self.store(self.sensors[key], rows, ENERGY)

    async def store(self, entity_id: str, rows: Sequence[Mapping[str, Any]], kind: Mapping[str, Any]) -> None:
        """Store statistics in Home Assistant, in place of all that it has."""
        await self.home.owner.ask("recorder/clear_statistics", statistic_ids=[entity_id])
        about = {"source": "recorder", "name": None, "statistic_id": entity_id, **kind}
        await self.home.owner.ask("recorder/import_statistics", metadata=about, stats=rows)
        async with asyncio.timeout(30):
            while len(await self.statistics_of(entity_id)) < len(rows):
                await asyncio.sleep(0.1)

    async def statistics_of(self, entity_id: str, period: str = "hour") -> dict[int, dict[str, Any]]:
        """Return the statistics of a sensor in Wh and W, by their start in epoch seconds."""
        found = await self.home.owner.ask(
            "recorder/statistics_during_period",
            start_time=to_text(0),
            statistic_ids=[entity_id],
            period=period,
            units={"energy": "Wh", "power": "W"},
        )
        return {row["start"] // 1000: row for row in found.get(entity_id, ())}

    async def statistics(self, key: str, period: str = "hour") -> dict[int, dict[str, Any]]:
        return await self.statistics_of(self.sensors[key], period)


def to_text(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def user(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[User]:
    folder = tmp_path_factory.mktemp("history")
    async with running_home(folder / "home") as home:
        await home.add_gateway()
        await home.owner.ask("config/core/update", time_zone=VIENNA.key)
        token = await home.owner.ask("auth/long_lived_access_token", client_name="scripts", lifespan=1)
        yield User(home, await home.sensors(), token, folder, str(environment("scripts-3.14")))


@pytest.fixture(scope="module")
def autumn(user: User) -> Path:
    """Return a database with the days around the end of summer time."""
    return user.fill(utc(2026, 10, 23), utc(2026, 10, 28))


async def test_three_missing_hours_are_filled_and_join_what_is_before_and_after(
    user: User, autumn: Path
) -> None:
    start, end = utc(2026, 10, 24), utc(2026, 10, 26)
    missing = (utc(2026, 10, 24, 18), utc(2026, 10, 24, 19), utc(2026, 10, 24, 20))
    there = [hour for hour in range(start, end, HOUR) if hour not in missing]
    keys = ["production_energy", "grid_energy_exported", "home_energy"]
    for key in keys:
        await user.count(key, there)
    power = user.sensors["production_power"]
    await user.store(power, [{"start": to_text(hour), "mean": 1.0} for hour in there], POWER)
    before = {key: await user.statistics(key) for key in keys}
    words = ("--from", "2026-10-24T06:00", "--to", "2026-10-25T12:00")
    table = await user.run(autumn, "export-home-assistant", *words, "--dry-run")
    assert f"{user.sensors['production_energy']} " in table.stdout
    assert "2026-10-24 20:00  2026-10-24 23:00  3 " in table.stdout
    assert "would write" in table.stdout
    assert {key: await user.statistics(key) for key in keys} == before
    await user.export(autumn, *words)
    for key in keys:
        found = await user.statistics(key)
        assert list(found) == list(range(start, end, HOUR))
        assert {hour: row["change"] for hour, row in found.items() if hour > start} == pytest.approx(
            {hour: energy(key, hour) for hour in found if hour > start}, abs=0.01
        )
        for hour, row in before[key].items():
            assert (found[hour]["sum"], found[hour]["state"]) == (row["sum"], row["state"])
    means = {hour: row["mean"] for hour, row in (await user.statistics_of(power)).items()}
    for hour in missing:
        assert means[hour] == pytest.approx(energy("production_energy", hour))
    assert await user.export(autumn, *words) == "wrote 0 hours of 0 sensors to Home Assistant"


@pytest.mark.parametrize(("month", "day", "length"), [(3, 29, 23), (10, 25, 25)])
async def test_a_day_of_another_length_is_whole(user: User, month: int, day: int, length: int) -> None:
    start, end = day_of(2026, month, day)
    assert (end - start) // HOUR == length
    file = user.fill(start - 6 * HOUR, end + 6 * HOUR)
    outside = [*range(start - 3 * HOUR, start, HOUR), *range(end, end + 3 * HOUR, HOUR)]
    for key in ("production_energy", "production_energy_today"):
        await user.count(key, outside)
    await user.export(file, "--from", f"2026-{month:02}-{day:02}", "--to", f"2026-{month:02}-{day:02}")
    expected = sum(energy("production_energy", hour) for hour in range(start, end, HOUR))
    for key in ("production_energy", "production_energy_today"):
        days = await user.statistics(key, "day")
        assert days[start]["change"] == pytest.approx(expected, abs=0.01), key
    last = (await user.statistics("production_energy_today"))[end - HOUR]
    assert last["state"] == pytest.approx(expected, abs=0.01)
    assert last["last_reset"] == start * 1000


async def test_a_counter_reset_is_replaced_and_later_hours_keep_their_energy(user: User) -> None:
    start, end, reset = utc(2026, 9, 1), utc(2026, 9, 3), utc(2026, 9, 2, 4)
    file = user.fill(start, end, reset=reset)
    key = "grid_energy_imported"
    hours = list(range(start, end, HOUR))
    # Home Assistant counted nothing for nine hours after the reset.
    rows, total = [], 0.0
    for hour in hours:
        total += 0.0 if reset <= hour < reset + 9 * HOUR else energy(key, hour)
        rows.append({"start": to_text(hour), "sum": total / 1000, "state": total / 1000})
    await user.store(user.sensors[key], rows, ENERGY)
    words = ("--from", "2026-09-02T05:00", "--to", "2026-09-02T16:00")
    before = await user.statistics(key)
    assert (await user.export(file, *words)).startswith("wrote ")
    assert await user.statistics(key) == before
    for _ in range(2):
        await user.export(file, *words, "--replace")
        found = await user.statistics(key)
        expected = {hour: energy(key, hour) for hour in hours[1:]}
        # What flowed between the last reading before the reset and the first after it is lost.
        expected[reset - HOUR] *= 11 / 12
        assert {hour: row["change"] for hour, row in found.items() if hour > start} == pytest.approx(
            expected, abs=0.01
        )


async def test_years_before_home_assistant_are_put_before_it(user: User) -> None:
    start, first, end = utc(2026, 7, 1), utc(2026, 7, 20, 12), utc(2026, 7, 20, 15)
    file = user.fill(start, end)
    key = "battery_energy_discharged"
    await user.count(key, list(range(first, end, HOUR)))
    await user.export(file, "--to", "2026-07-21")
    found = await user.statistics(key)
    assert list(found) == list(range(start, end, HOUR))
    assert {hour: row["change"] for hour, row in found.items()} == pytest.approx(
        {hour: energy(key, hour) for hour in found}, abs=0.01
    )
    assert found[start]["sum"] == pytest.approx(energy(key, start), abs=0.01)
    assert await user.export(file, "--to", "2026-07-21") == "wrote 0 hours of 0 sensors to Home Assistant"


async def test_midnight_within_an_hour_of_utc(user: User) -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    await user.home.owner.ask("config/core/update", time_zone=kolkata.key)
    start, end = day_of(2026, 8, 10, kolkata)
    assert start % HOUR == HOUR // 2
    file = user.fill(utc(2026, 8, 8), utc(2026, 8, 12), zone=kolkata.key)
    key = "production_energy_today"
    await user.count(key, [utc(2026, 8, 9), utc(2026, 8, 11)])
    await user.export(file, "--from", "2026-08-10", "--to", "2026-08-10")
    found = await user.statistics(key)
    hours = range(start - start % HOUR, end - end % HOUR + HOUR, HOUR)
    assert list(found)[1:-1] == list(hours)
    for hour in list(hours)[1:-1]:
        since = energy(key, hours[0]) / 2 + sum(energy(key, each) for each in range(hours[1], hour + 1, HOUR))
        assert (found[hour]["state"], found[hour]["last_reset"]) == (
            pytest.approx(since, abs=0.01),
            start * 1000,
        )
        assert found[hour]["change"] == pytest.approx(energy(key, hour), abs=0.01)
    await user.home.owner.ask("config/core/update", time_zone=VIENNA.key)


async def test_years_of_home_assistant_become_days_of_the_database(user: User) -> None:
    begin, first, end = utc(2024, 3, 1), utc(2026, 6, 1), utc(2026, 6, 4)
    file = user.fill(first, end)
    hours = list(range(begin, end, HOUR))
    for key in (*sorted(COUNTERS.keys() - {"production_energy_today"}), "home_energy"):
        await user.count(key, hours)
    dry = await user.run(file, "import-home-assistant", "--to", "2026-06-03", "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert fetch(file, "SELECT COUNT(*) FROM days WHERE bucket_start < ?", (first - 86_400) * 1000) == [(0,)]
    done = await user.run(file, "import-home-assistant", "--to", "2026-06-03")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "calculated from" in done.stdout
    stored = fetch_days(file, "production")
    days = [day_of(2024, 3, 2)[0] + number * 86_400 for number in range(3)]
    for day in (*days, day_of(2024, 3, 31)[0], day_of(2025, 10, 26)[0]):
        end_of_day = int((datetime.fromtimestamp(day, VIENNA) + timedelta(days=1)).timestamp())
        expected = sum(energy("production_energy", hour) for hour in range(day, end_of_day, HOUR))
        assert stored[day] == pytest.approx(expected, abs=0.1)
        # Without what the array drew, the consumption of the day would be unknown.
        assert fetch(file, DRAW, day * 1000) == [(pytest.approx(0.0, abs=0.1),)]
    assert len(stored) == (datetime(2026, 6, 4) - datetime(2024, 3, 1)).days + 1  # noqa: DTZ001 - dates
    again = await user.run(file, "import-home-assistant", "--to", "2026-06-03")
    assert again.stdout.splitlines()[-1].endswith(": imported 0 quarter-hours from Home Assistant")
    assert fetch_days(file, "production") == stored


async def test_a_user_who_may_not_write_gets_one_line(user: User, autumn: Path) -> None:
    owner = user.home.owner
    account = (await owner.ask("config/auth/create", name="reader", group_ids=["system-read-only"]))["user"]
    await owner.ask(
        "config/auth_provider/homeassistant/create",
        user_id=account["id"],
        username="reader",
        password="secret-of-the-reader",
    )
    reader = type(owner)(owner.url)
    async with reader:
        await reader.sign_in("reader", "secret-of-the-reader")
        token = await reader.ask("auth/long_lived_access_token", client_name="scripts", lifespan=1)
    await user.count("production_energy", [utc(2026, 10, 24), utc(2026, 10, 24, 5)])
    done = await user.run(autumn, "export-home-assistant", token=token)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "the token's user may not do that" in line
    assert token not in done.stdout + done.stderr
    assert (await user.run(autumn, "import-home-assistant", "--dry-run", token=token)).returncode == 0


def fetch(file: Path, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement, values).fetchall()


def fetch_days(file: Path, measurement: str) -> dict[int, float]:
    """Return the energy of each day in Wh, by its start in epoch seconds."""
    rows = fetch(
        file,
        "SELECT bucket_start / 1000, energy_delivered_last - energy_delivered_first FROM days"
        " JOIN measurements ON measurements.id = measurement_id WHERE name = ? AND phase = 0",
        measurement,
    )
    return dict(rows)
