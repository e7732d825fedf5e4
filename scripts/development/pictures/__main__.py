"""The command: scripts/pictures makes all pictures, scripts/pictures NAME only that one."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from enphase_companion.charts.time_range import parse
from enphase_companion.config.command_line import Parser
from enphase_companion.simulator.house import House
from enphase_companion.simulator.profiles import PROFILES
from tests.services import rabbitmq

from ..steps import PROJECT
from .hat import draw_scenes
from .home_assistant import home_assistant
from .house import IMAGES, START, ZONE, house, keep
from .house_readings import store, store_inverters
from .outages import amqp_database_meters, folder, gateway_amqp_meters, gateway_database_meters, run_publisher
from .terminal import draw_terminal, run_in_terminal

#: A house with 24 panels, and what those in the shade produce of what others do.
_PANELS = House(replace(PROFILES["battery"], inverters=24), 1, START, 8.5)
_SHARES = {5: 0.58, 9: 0.74, 17: 0.91}


def gateway_console() -> None:
    """Draw what the console prints of a house with batteries, in the morning."""
    columns = 88
    with house("battery") as (_, environment):
        command = str(Path(sys.executable).with_name("enphase-gateway-console"))
        written = run_in_terminal([command], environment, columns)
    keep("gateway_console.svg", draw_terminal(written, columns, "enphase-gateway-console"))


def gateway_generate_docs() -> None:
    """Draw a page that was made from the answers of a house with batteries."""
    columns = 110
    with house("battery") as (_, environment):
        command = str(Path(sys.executable).with_name("enphase-gateway-generate-docs"))
        output = Path(environment["ENPHASE_CONFIGURATION"]) / "pages"
        arguments = ["--format", "markdown", "--delay", "0", "--output", str(output)]
        subprocess.run([command, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)
        page = Path(output / "ivp_ensemble_power.md").read_text()
    viewer = (
        "import sys; from rich import print; from rich.markdown import Markdown; print(Markdown(sys.argv[1]))"
    )
    _, _, shown = page.partition("\n\n")
    written = run_in_terminal([sys.executable, "-c", viewer, shown], environment, columns)
    keep("gateway_generate_docs.svg", draw_terminal(written, columns, "ivp_ensemble_power.md"))


def gateway_unicorn_hat_hd() -> None:
    """Record what a HAT shows in the early afternoon: sun and clouds, and more than the home takes."""
    with house("three-phase", hour=13, weather=2) as (_, environment):
        _record("gateway_unicorn_hat_hd", environment)


def amqp_unicorn_hat_hd() -> None:
    """Record what a HAT shows on a cloudy morning."""
    with (
        folder() as place,
        rabbitmq.running(place / "broker") as broker,
        house("three-phase", hour=9, weather=3) as (_, environment),
    ):
        environment["ENPHASE_AMQP_URL"] = broker.url
        with run_publisher(environment, place):
            _record("amqp_unicorn_hat_hd", environment, "--peak-power", "4400")


def unicorn_hat_hd_scenes() -> None:
    """Draw the energy, the day and the panels of a house."""
    draw_scenes(IMAGES / "unicorn_hat_hd_scenes.gif", "energy", "day", "panels")
    print("docs/images/unicorn_hat_hd_scenes.gif")


def database_pyplot_meters() -> None:
    """Draw a day, a month, a year, panels and costs of a house with batteries, from a database."""
    _chart("database_pyplot_meters.png", "2026-06-21", 60, "--peak-power", "4600")
    _chart("database_pyplot_meters_month.png", "2026-06-01..2026-06-30", 300)
    _chart("database_pyplot_meters_year.png", "2025-07-01..2026-06-30", 900, "--heatmap")
    _chart("database_pyplot_meters_panels.png", "2026-06-01..2026-06-30", 300, "--panels")
    _chart("database_pyplot_meters_costs.png", "2026-06-01..2026-06-30", 300, "--costs")


def gateway_pyplot_meters() -> None:
    """Draw half an hour of a house with batteries, which passes in a minute."""
    with house("battery", hour=13, speed=30) as (_, environment):
        command = str(Path(sys.executable).with_name("enphase-gateway-pyplot-meters"))
        file = IMAGES / "gateway_pyplot_meters.png"
        with subprocess.Popen([command, "--minutes", "30", "--output", file], env=environment) as process:
            time.sleep(70)
            process.terminate()
    print(f"docs/images/{file.name}")


PICTURES = {
    draw.__name__: draw
    for draw in (
        gateway_console,
        gateway_amqp_meters,
        amqp_database_meters,
        gateway_database_meters,
        gateway_generate_docs,
        database_pyplot_meters,
        gateway_pyplot_meters,
        gateway_unicorn_hat_hd,
        amqp_unicorn_hat_hd,
        unicorn_hat_hd_scenes,
        home_assistant,
    )
}


def _chart(name: str, days: str, step: int, *arguments: str) -> None:
    """Draw these days of a house that is read every `step` seconds."""
    zone = ZoneInfo(ZONE)
    span = parse(days).span(zone, START)
    start, end = span.start // 1000, span.end // 1000
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/enphase.db"
        moments = range(start, end + 1, step)
        if "--panels" in arguments:
            asyncio.run(store_inverters(url, zone, _PANELS, moments, _SHARES, silent=end - 6 * 86_400))
        else:
            asyncio.run(store(url, zone, House(PROFILES["battery"], 1, START, 8.5), moments))
        command = str(Path(sys.executable).with_name("enphase-database-pyplot-meters"))
        shutil.copy(PROJECT / "configuration" / "tariff.json.example", Path(folder, "tariff.json"))
        environment = {
            "PATH": os.environ["PATH"],
            "ENPHASE_CONFIGURATION": folder,
            "ENPHASE_DATABASE_URL": url,
        }
        drawn_to = ["--output", str(IMAGES / name)]
        subprocess.run([command, "--range", days, *drawn_to, *arguments], env=environment, check=True)
    print(f"docs/images/{name}")


def _record(name: str, environment: dict[str, str], *arguments: str) -> None:
    command = str(Path(sys.executable).with_name(f"enphase-{name.replace('_', '-')}"))
    file = IMAGES / f"{name}.gif"
    displayed = ["--display", str(file), "--brightness", "1", *arguments]
    subprocess.run([command, *displayed], env=environment, check=True)
    print(f"docs/images/{file.name}")


def main() -> None:
    """Make the pictures that are named, or all."""
    parser = Parser(prog="scripts/pictures", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(PICTURES)}")
    names = parser.parse_args().names or list(PICTURES)
    if unknown := sorted(set(names) - set(PICTURES)):
        parser.error(f"no picture is named {', '.join(unknown)}")
    for name in names:
        PICTURES[name]()


if __name__ == "__main__":
    main()
