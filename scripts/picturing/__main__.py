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


PICTURES = {draw.__name__: draw for draw in (gateway_console, gateway_generate_docs)}


@contextmanager
def _house(profile: str) -> Iterator[dict[str, str]]:
    """Give the environment of an owner of this simulated gateway, who has trusted it."""
    with (
        Simulator(profile, start=_START, hour_of_day=_HOUR) as simulator,
        tempfile.TemporaryDirectory() as folder,
    ):
        (Path(folder) / "gateway.cer").write_text(simulator.certificate_pem)
        yield {
            "PATH": os.environ["PATH"],
            "TZ": _ZONE,
            "ENPHASE_CONFIGURATION": folder,
            "ENPHASE_GATEWAY_HOST": simulator.url,
            "ENPHASE_GATEWAY_TOKEN": simulator.token(),
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
