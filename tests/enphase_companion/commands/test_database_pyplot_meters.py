"""enphase-database-pyplot-meters, with a database of each kind."""

from __future__ import annotations

import asyncio
import csv
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from matplotlib.axes import Axes
from yarl import URL

from development.pictures.house_readings import store, store_inverters
from enphase_companion.charts import output
from enphase_companion.charts.drawing import Chart
from enphase_companion.charts.options import HEAT_MAPS
from enphase_companion.commands.database_pyplot_meters import NAME, main
from enphase_companion.simulator.house import House
from enphase_companion.simulator.profiles import PROFILES
from tests.services.mariadb import MariaDB

from ..amqp_helpers import wait_until
from ..charts.conftest import START, ZURICH, local_seconds
from ..charts.helpers import BACKEND, read_lines
from ..cli_user import CliUser
from .running import Command

PNG = b"\x89PNG"
FLAT_TARIFF = '{"tariff": {"currency": {"code": "CHF"}, "single_rate": {"rate": 0.32, "sell": 0.08}}}'
SLOW_IMPORTS = {"asyncio", "enphase_api", "matplotlib", "numpy", "sqlalchemy", "voluptuous"}


@pytest.fixture
def drawn_axes(monkeypatch: pytest.MonkeyPatch) -> list[Axes]:
    """Return the axes of each panel that the command has drawn."""
    found: list[Axes] = []

    class RecordingChart(Chart):
        def draw(self, view: Any) -> None:
            super().draw(view)
            found[:] = [panel.axes for panel in self.panels]

    monkeypatch.setattr(output, "Chart", RecordingChart)
    return found


@pytest.fixture
def drawing(user: CliUser, tmp_path: Path) -> Command:
    """Return the command, which is started in a separate process with a window without a screen."""
    user.environment |= {
        "MPLBACKEND": BACKEND,
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "WINDOW_STATE": str(tmp_path / "window"),
        "WINDOW_CLOSE": str(tmp_path / "close"),
    }
    return Command(user, NAME, tmp_path / "log")


@pytest.fixture(scope="module")
def house_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a database with four morning hours of a house with batteries."""
    url = f"sqlite:///{tmp_path_factory.mktemp('house') / 'enphase.db'}"
    begin = local_seconds(2026, 10, 26, 8)
    house = House(PROFILES["battery"], 1, START, 8.5)
    asyncio.run(store(url, ZURICH, house, range(begin, begin + 4 * 3600, 60)))
    return url


def read_window(folder: Path) -> str:
    file = folder / "window"
    return file.read_text() if file.exists() else ""


@pytest.mark.slow
def test_a_day_is_drawn_from_a_database_of_each_kind(
    user: CliUser, database_url: str, drawn_axes: list[Axes], tmp_path: Path
) -> None:
    house = House(PROFILES["battery"], 1, START, 8.5)
    asyncio.run(store(database_url, ZURICH, house, range(START + 36_000, START + 50_400, 60)))
    user.environment["ENPHASE_DATABASE_URL"] = database_url
    result = user.run(main, "--range", "2026-10-24", "--output", str(tmp_path / "day.png"))
    assert (result.status, result.err) == (0, "")
    assert (tmp_path / "day.png").read_bytes().startswith(PNG)
    (axes,) = drawn_axes
    times, watts = read_lines(axes)["Production"]
    assert len(times) == 240
    for at, drawn in zip(times, watts, strict=True):
        assert drawn == pytest.approx(house.truth(at - 30).production.total.active_power, abs=0.1)
    _, used = read_lines(axes)["Consumption"]
    truth = [-house.truth(at - 30).total_consumption.total.active_power for at in times]
    assert used == pytest.approx(truth, abs=0.1)
    (user.folder / "tariff.json").write_text(FLAT_TARIFF)
    table = tmp_path / "costs.csv"
    result = user.run(main, "--range", "2026-10-24", "--costs", "--export", str(table))
    assert (result.status, result.err) == (0, "")
    cost = sum(float(row["import_cost_CHF"]) for row in csv.DictReader(table.read_text().splitlines()))
    counted = [
        house.truth(at).net_consumption.total.energy_delivered for at in (START + 36_000, START + 50_340)
    ]
    assert cost == pytest.approx(0.32 * (counted[1] - counted[0]) / 1000, abs=0.003)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_each_phase_is_drawn_in_other_file_formats(
    user: CliUser, house_url: str, drawn_axes: list[Axes], tmp_path: Path, suffix: str
) -> None:
    user.environment["ENPHASE_DATABASE_URL"] = house_url
    file = tmp_path / f"day.{suffix}"
    result = user.run(
        main, "--range", "2026-10-26", "--phases", "--peak-power", "4400", "--output", str(file)
    )
    assert (result.status, result.err) == (0, "")
    assert file.stat().st_size > 10_000
    assert len(drawn_axes) == 3
    assert read_lines(drawn_axes[0])["peak"][1] == [4400, 4400]
    assert "peak" not in read_lines(drawn_axes[1])


@pytest.mark.slow
@pytest.mark.parametrize("quantity", HEAT_MAPS)
def test_a_heat_map_is_drawn_of_each_quantity(
    user: CliUser, house_url: str, tmp_path: Path, quantity: str
) -> None:
    user.environment["ENPHASE_DATABASE_URL"] = house_url
    file = tmp_path / "map.svg"
    result = user.run(main, "--heatmap", quantity, "--range", "2026-10-20..2026-10-26", "--output", str(file))
    assert (result.status, result.err) == (0, "")
    drawn = file.read_text()
    assert f"{quantity.title()} in kW" in drawn
    assert "is not known" not in drawn


@pytest.mark.slow
def test_panels_are_drawn_and_exported_or_the_error_names_the_setting(
    user: CliUser, house_url: str, tmp_path: Path
) -> None:
    user.environment["ENPHASE_DATABASE_URL"] = house_url
    assert "set keep_panels" in user.run(main, "--panels", "--output", str(tmp_path / "none.png")).error
    url = f"sqlite:///{tmp_path / 'panels.db'}"
    begin = local_seconds(2026, 6, 1)
    house = House(PROFILES["battery"], 1, begin, 8.5)
    moments = range(begin, begin + 86_400, 1_800)
    asyncio.run(store_inverters(url, ZURICH, house, moments, {0: 0.5}, begin + 43_200))
    user.environment["ENPHASE_DATABASE_URL"] = url
    drawn, table = tmp_path / "panels.svg", tmp_path / "panels.csv"
    result = user.run(
        main, "--panels", "--range", "2026-06-01", "--output", str(drawn), "--export", str(table)
    )
    assert (result.status, result.err) == (0, "")
    assert "silent: 482200010003 since 2026-06-01 11:30" in drawn.read_text()
    assert len(table.read_text().splitlines()[1].split(",")) == 13


@pytest.mark.slow
def test_a_day_is_compared_with_the_day_before(
    user: CliUser, house_url: str, drawn_axes: list[Axes], tmp_path: Path
) -> None:
    user.environment["ENPHASE_DATABASE_URL"] = house_url
    file = tmp_path / "day.svg"
    result = user.run(main, "--range", "2026-10-27", "--compare", "previous", "--output", str(file))
    assert (result.status, result.err) == (0, "")
    _, watts = read_lines(drawn_axes[0])["Production before"]
    assert len(watts) == 240
    assert "means of minutes" in file.read_text()


@pytest.mark.slow
def test_the_numbers_of_a_chart_are_exported_without_a_window(
    user: CliUser, house_url: str, drawn_axes: list[Axes], tmp_path: Path
) -> None:
    user.environment["ENPHASE_DATABASE_URL"] = house_url
    file = tmp_path / "day.csv"
    result = user.run(main, "--range", "2026-10-26", "--export", str(file))
    assert (result.status, result.err, drawn_axes) == (0, "", [])
    head, *rows = file.read_text().splitlines()
    assert head == "time,production_W,consumption_W,grid_W,battery_W"
    assert len(rows) == 240
    assert rows[0].startswith("2026-10-26T08:00:30+01:00,")


@pytest.mark.slow
def test_costs_come_from_the_tariff_in_the_folder_or_from_the_gateway(
    user: CliUser, house_url: str, tmp_path: Path
) -> None:
    user.environment["ENPHASE_DATABASE_URL"] = house_url
    arguments = ["--range", "2026-10-26", "--costs", "--export", str(tmp_path / "costs.csv")]
    arguments += ["--output", str(tmp_path / "costs.svg")]
    result = user.run(main, *arguments)
    assert result.status == 2
    file = user.folder / "tariff.json"
    assert f"--costs needs prices: copy configuration/tariff.json.example to {file}" in result.error
    user.write_token_settings(gateway_token=user.simulator.token())
    result = user.run(main, *arguments)
    assert result.status == 1
    assert "the gateway's cannot be read: " in result.error
    assert "is not trusted yet; no secret was sent" in result.error
    user.trust_gateway()
    result = user.run(main, *arguments)
    assert (result.status, result.err) == (0, "")
    head, *rows = (tmp_path / "costs.csv").read_text().splitlines()
    assert head == "time,saved_EUR,export_income_EUR,import_cost_EUR"
    assert len(rows) == 4
    assert (
        f"prices of gateway {user.simulator.serial_number}'s tariff" in (tmp_path / "costs.svg").read_text()
    )
    (user.folder / "tariff.json").write_text(FLAT_TARIFF)
    assert user.run(main, *arguments).status == 0
    assert "import_cost_CHF" in (tmp_path / "costs.csv").read_text()
    result = user.run(main, *arguments, "--tariff-file", "nowhere.json")
    assert result.status == 2
    assert "nowhere.json: no such file: copy configuration/tariff.json.example there" in result.error


@pytest.mark.slow
async def test_a_window_shows_the_chart_until_it_is_closed(
    drawing: Command, house_url: str, tmp_path: Path
) -> None:
    drawing.user.environment["ENPHASE_DATABASE_URL"] = house_url
    drawing.start("--range", "2026-10-26")
    await wait_until(lambda: "Monday, 26 October 2026" in read_window(tmp_path))
    (tmp_path / "close").touch()
    assert drawing.process is not None
    assert await asyncio.to_thread(drawing.process.wait, 10) == 0
    assert drawing.output == ""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_closes_the_window(
    drawing: Command, house_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    drawing.user.environment["ENPHASE_DATABASE_URL"] = house_url
    drawing.start("--range", "2026-10-26..", "--follow")
    await wait_until(lambda: read_window(tmp_path))
    assert drawing.stop(number) == 0
    assert drawing.output == ""


@pytest.mark.slow
async def test_a_missing_screen_is_an_error(drawing: Command, house_url: str) -> None:
    drawing.user.environment |= {"ENPHASE_DATABASE_URL": house_url, "MPLBACKEND": "agg"}
    drawing.start("--range", "2026-10-26")
    assert drawing.process is not None
    assert await asyncio.to_thread(drawing.process.wait, 30) == 1
    assert drawing.output.startswith("error: no window can be opened here: write a file with --output")
    assert drawing.output.count("\n") == 1


@pytest.mark.slow
async def test_a_followed_chart_is_written_again_with_new_readings(
    drawing: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'enphase.db'}"
    now = round(time.time())
    house = House(PROFILES["battery"], 1, now, 8.5)
    await store(url, ZURICH, house, range(now - 3_600, now - 60, 30))
    drawing.user.environment["ENPHASE_DATABASE_URL"] = url
    file = tmp_path / "live.svg"
    drawing.start("--range", "day", "--follow", "--output", str(file))
    await wait_until(file.exists)
    first = file.read_bytes()
    await store(url, ZURICH, house, range(now - 60, now, 5))
    await wait_until(lambda: file.read_bytes() != first, 40)
    assert drawing.stop() == 0
    assert drawing.output == f"{file} is written again and again. Ctrl-C ends it.\n"
    assert sorted(each.suffix for each in tmp_path.iterdir() if "live" in each.name) == [".svg"]


async def test_the_last_chart_stays_with_a_note_while_the_database_is_unavailable(
    drawing: Command, mariadb: MariaDB, mariadb_url: str, tmp_path: Path
) -> None:
    now = round(time.time())
    house = House(PROFILES["battery"], 1, now, 8.5)
    await store(mariadb_url, ZoneInfo("UTC"), house, range(now - 600, now, 30))
    drawing.user.environment["ENPHASE_DATABASE_URL"] = mariadb_url
    drawing.start("--range", "day", "--follow")
    await wait_until(lambda: "produced" in read_window(tmp_path))
    await asyncio.to_thread(mariadb.kill)
    await wait_until(lambda: "Not up to date: " in read_window(tmp_path), 40)
    assert "produced" in read_window(tmp_path)
    await asyncio.to_thread(mariadb.start)
    await wait_until(lambda: "Not up to date: " not in read_window(tmp_path), 40)
    assert drawing.stop() == 0


def test_an_empty_database_is_an_error(user: CliUser, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'enphase.db'}"
    asyncio.run(store(url, ZURICH, House(PROFILES["battery"], 1, START, 8.5), []))
    user.environment["ENPHASE_DATABASE_URL"] = url
    for more in ([], ["--follow"]):
        result = user.run(main, "--output", str(tmp_path / "day.png"), *more)
        assert result.status == 1
        assert "enphase.db: contains no readings yet: " in result.err
    assert not (tmp_path / "day.png").exists()


def test_a_missing_database_is_an_error_and_is_not_created(user: CliUser, tmp_path: Path) -> None:
    user.environment["ENPHASE_DATABASE_URL"] = f"sqlite:///{tmp_path / 'nowhere.db'}"
    result = user.run(main, "--output", str(tmp_path / "day.png"))
    assert result.status == 1
    assert f"{tmp_path / 'nowhere.db'}: no such file: if yours is elsewhere" in result.error
    assert not (tmp_path / "nowhere.db").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"database_url": "postgresql://db/enphase"}, "database_url: postgresql is not supported"),
        ({"database_url": "planted"}, "database_url: not the URL of a database"),
        ({"database_url": 5}, "database_url: must be a text"),
        ({"peak_power": "much"}, "peak_power: must be a number of watts"),
        ({"continuous_power": -1}, "continuous_power: must be a number of watts"),
        ({"gateway_serial_number": "1"}, "gateway_serial_number: must be the 12 digits"),
    ],
)
def test_the_error_names_an_invalid_setting(
    user: CliUser, changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    user.write_token_settings(**changed)
    result = user.run(main, "--output", str(tmp_path / "day.png"))
    assert result.status == 2
    assert message in result.error
    assert "planted" not in result.error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--range", "tomorrow"], "argument --range: must be today, day, week, month, year"),
        (["--range", "2026-06-02..2026-06-01"], "2026-06-01 is not after 2026-06-02"),
        (["--range", "2026-06-01", "--follow"], "--follow requires a --range that ends now"),
        (["--export", "day.csv", "--follow"], "--export cannot be combined with --follow"),
        (["--heatmap", "--phases"], "--heatmap cannot be combined with --phases, --export or --compare"),
        (["--panels", "--phases"], "--panels cannot be combined with --heatmap, --phases or --compare"),
        (["--costs", "--heatmap"], "--costs cannot be combined with --heatmap, --panels or --phases"),
        (["--heatmap", "voltage"], "argument --heatmap: invalid choice: 'voltage'"),
        (["--export", "day.xlsx"], "day.xlsx: the name must end in .csv, .parquet"),
        (["--output", "chart.jpg"], "chart.jpg: the name must end in .png, .svg, .pdf"),
        (["--output", "/nowhere/chart.png"], "no such folder: /nowhere"),
    ],
)
def test_wrong_usage_ends_with_status_2(user: CliUser, arguments: list[str], message: str) -> None:
    result = user.run(main, *arguments)
    assert result.status == 2
    assert message in result.err


@pytest.mark.slow
def test_the_error_names_a_file_that_cannot_be_written(user: CliUser, house_url: str, tmp_path: Path) -> None:
    (tmp_path / "day.png").mkdir()
    user.environment["ENPHASE_DATABASE_URL"] = house_url
    result = user.run(main, "--range", "2026-10-26", "--output", str(tmp_path / "day.png"))
    assert result.status == 1
    assert "day.png" in result.error
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".day")] == []


async def test_secrets_never_appear_in_the_debug_log_or_command_line(
    drawing: Command, mariadb_url: str, tmp_path: Path
) -> None:
    password = "hunter2/é %secret"
    wrong = str(URL(mariadb_url).with_password(password))
    await store(mariadb_url, ZURICH, House(PROFILES["battery"], 1, START, 8.5), range(START, START + 600, 60))
    for url in (wrong, mariadb_url):
        drawing.user.write_token_settings(database_url=url, gateway_token="planted-token")
        drawing.start("-v", "--range", "2026-10-24..", "--follow")
        if url == wrong:
            assert drawing.process is not None
            assert await asyncio.to_thread(drawing.process.wait, 30) == 1
            assert "refuses user name or password" in drawing.output
        else:
            await wait_until(lambda: read_window(tmp_path))
            command_line = drawing.command_line
            assert drawing.stop() == 0
    right = URL(mariadb_url).password or ""
    everything = drawing.output + command_line + read_window(tmp_path)
    assert "DEBUG" in everything
    assert [each for each in ("hunter2", "planted-token", password) if each in everything] == []
    assert not right or len(right) < 3 or right not in everything


@pytest.mark.parametrize("command", ["database_pyplot_meters", "gateway_pyplot_meters"])
def test_help_imports_no_slow_packages(command: str) -> None:
    code = (
        f"import sys\nfrom enphase_companion.commands.{command} import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('imported', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(ended.stdout.splitlines()[-1].split())
    assert "enphase_companion" in imported
    assert not imported & SLOW_IMPORTS


@pytest.mark.slow
def test_a_chart_imports_neither_the_migrations_nor_the_gateways_packages(
    user: CliUser, house_url: str, tmp_path: Path
) -> None:
    arguments = ["--range", "2026-10-26", "--output", str(tmp_path / "day.png")]
    code = (
        "import sys\nfrom enphase_companion.commands.database_pyplot_meters import main\n"
        f"assert main({arguments!r}) == 0\n"
        "print('imported', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    environment = {**user.environment, "ENPHASE_DATABASE_URL": house_url}
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=tmp_path,
    )
    imported = set(ended.stdout.splitlines()[-1].split())
    assert "matplotlib" in imported
    assert not imported & {"alembic", "aiohttp", "jwt", "aio_pika"}
    assert (tmp_path / "day.png").read_bytes().startswith(PNG)
