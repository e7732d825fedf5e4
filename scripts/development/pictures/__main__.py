"""The command: scripts/pictures makes all pictures, scripts/pictures NAME only that one."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from enphase_companion.config.command_line import Parser
from tests.services import rabbitmq

from .charts import CHARTS, draw_chart
from .hat import draw_scenes
from .home_assistant import home_assistant
from .house import IMAGES, house, keep
from .outages import amqp_database_meters, folder, gateway_amqp_meters, gateway_database_meters, run_publisher
from .terminal import draw_terminal, run_in_terminal


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
    for name in CHARTS:
        draw_chart(name, IMAGES / name)
        print(f"docs/images/{name}")


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
