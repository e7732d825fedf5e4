"""The command: scripts/pictures makes all pictures, scripts/pictures NAME only that one."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from enphase_companion.simulator import Simulator

from .terminal import drawn, run_in_terminal

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"

#: 2026-06-21 11:00 in Zurich. The houses stand there and then, whenever the pictures are made: a picture
#: changes only where what it shows has changed, but for some seconds.
_START = 1782032400
_ZONE = "Europe/Zurich"
_HOUR = 10.0


def gateway_console() -> None:
    """Draw what the console prints of a house with batteries, in the morning."""
    columns = 88
    with _house("battery") as environment:
        command = str(Path(sys.executable).with_name("enphase-gateway-console"))
        written = run_in_terminal([command], environment, columns)
    _keep("gateway_console.svg", drawn(written, columns, "enphase-gateway-console"))


def gateway_generate_docs() -> None:
    """Draw a page that was made from the answers of a house with batteries."""
    columns = 110
    with _house("battery") as environment:
        command = str(Path(sys.executable).with_name("enphase-gateway-generate-docs"))
        output = Path(environment["ENPHASE_CONFIGURATION"]) / "pages"
        arguments = ["--format", "markdown", "--pause", "0", "--output", str(output)]
        subprocess.run([command, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)
        page = Path(output / "ivp_ensemble_power.md").read_text()
    viewer = (
        "import sys; from rich import print; from rich.markdown import Markdown; print(Markdown(sys.argv[1]))"
    )
    _, _, shown = page.partition("\n\n")
    written = run_in_terminal([sys.executable, "-c", viewer, shown], environment, columns)
    _keep("gateway_generate_docs.svg", drawn(written, columns, "ivp_ensemble_power.md"))


def gateway_unicorn_hat_hd() -> None:
    """Record what a HAT shows in the early afternoon: sun and clouds, and more than the home takes."""
    with _house("three-phase", hour=13, weather=2) as environment:
        _record("gateway_unicorn_hat_hd", environment)


def amqp_unicorn_hat_hd() -> None:
    """Record what a HAT shows on a cloudy morning; needs a broker, such as that of ENPHASE_AMQP_URL."""
    with _house("three-phase", hour=9, weather=3) as environment:
        given = {name: value for name, value in os.environ.items() if name.startswith("ENPHASE_AMQP_")}
        state = {"XDG_STATE_HOME": environment["ENPHASE_CONFIGURATION"]}
        command = str(Path(sys.executable).with_name("enphase-gateway-amqp-meters"))
        with subprocess.Popen(
            [command], env=environment | given | state, stdout=subprocess.DEVNULL
        ) as publisher:
            try:
                _record("amqp_unicorn_hat_hd", environment | given, "--peak-limit", "4400")
            finally:
                publisher.terminate()


PICTURES = {
    draw.__name__: draw
    for draw in (gateway_console, gateway_generate_docs, gateway_unicorn_hat_hd, amqp_unicorn_hat_hd)
}


def _record(name: str, environment: dict[str, str], *arguments: str) -> None:
    command = str(Path(sys.executable).with_name(f"enphase-{name.replace('_', '-')}"))
    file = IMAGES / f"{name}.gif"
    displayed = ["--display", str(file), "--brightness", "1", *arguments]
    subprocess.run([command, *displayed], env=environment, check=True)
    print(f"docs/images/{file.name}")


@contextmanager
def _house(profile: str, hour: float = _HOUR, weather: int | None = None) -> Iterator[dict[str, str]]:
    """Give the environment of an owner of this simulated gateway, who has trusted it.

    `weather`: a code of the WMO's in the place of that of the house's sky.
    """
    with (
        Simulator(profile, start=_START, hour_of_day=hour) as simulator,
        tempfile.TemporaryDirectory() as folder,
    ):
        simulator.weather.code, simulator.weather.wind = weather, 0
        (Path(folder) / "gateway.cer").write_text(simulator.certificate_pem)
        yield {
            "PATH": os.environ["PATH"],
            "TZ": _ZONE,
            "ENPHASE_CONFIGURATION": folder,
            "ENPHASE_GATEWAY_HOST": simulator.url,
            "ENPHASE_GATEWAY_TOKEN": simulator.token(),
            "ENPHASE_WEATHER_HOST": simulator.weather_url,
            "ENPHASE_LATITUDE": "47.4",
            "ENPHASE_LONGITUDE": "8.5",
        }


def _keep(name: str, picture: str) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / name).write_text(picture)
    print(f"docs/images/{name}")


def main() -> None:
    """Make the pictures that are named, or all."""
    parser = argparse.ArgumentParser(prog="scripts/pictures", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(PICTURES)}")
    names = parser.parse_args().names or list(PICTURES)
    if unknown := sorted(set(names) - set(PICTURES)):
        parser.error(f"no picture is named {', '.join(unknown)}")
    for name in names:
        PICTURES[name]()


if __name__ == "__main__":
    main()
