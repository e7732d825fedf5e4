"""docs/first-chart.md, typed line by line by a newcomer with an empty home, at a simulated gateway."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from enphase_companion.simulator import Simulator

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "first-chart.md"

#: What a test need not do again, or cannot without a network: these packages are installed already.
BROUGHT = ("git clone ", "cd ", "python3 -m venv ", "pip install ")

LINES = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


class Newcomer:
    """Somebody with an empty home folder who types in one terminal."""

    def __init__(self, home: Path, simulator: Simulator) -> None:
        self.home = home
        self.folder = home / "enphase-iq-gateway"
        self.simulator = simulator
        self.folder.mkdir(parents=True)
        (self.folder / "configuration").symlink_to(PROJECT / "configuration")
        activate = home / "enphase/bin/activate"
        activate.parent.mkdir(parents=True)
        activate.write_text(f"export PATH={Path(sys.executable).parent}:$PATH\n")

    def types(self, line: str, until: Callable[[], bool] | None = None) -> str:
        """Type a line, and Ctrl-C `until` something is there; return what is written, which must end well."""
        with subprocess.Popen(
            ["bash", "-c", f"source ~/enphase/bin/activate; exec {line}"],
            env={"HOME": str(self.home), "PATH": os.defpath, "LANG": "C.UTF-8"},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            deadline = time.monotonic() + 60
            while until is not None and not until():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.5)
            if until is not None:
                process.send_signal(signal.SIGINT)
            written, _ = process.communicate(timeout=60)
        assert process.returncode == 0, written
        return written

    def edits(self, file: Path) -> None:
        """Fill in what the page says, as an editor would."""
        content = json.loads(file.read_text())
        content["gateway_host"] = self.simulator.url
        content["enphase_username"], content["enphase_password"] = (
            self.simulator.username,
            self.simulator.password,
        )
        # Not Enphase's own in a test.
        content["entrez_host"] = self.simulator.entrez_url
        file.write_text(json.dumps(content))


@pytest.fixture(params=["three-phase", "no-meters"])
def newcomer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Newcomer]:
    with Simulator(request.param, hour_of_day=12) as simulator:
        yield Newcomer(tmp_path, simulator)


@pytest.mark.slow
def test_who_types_the_page_line_by_line_has_a_chart_at_its_end(newcomer: Newcomer) -> None:
    printed = {}
    for line in LINES:
        command = line.split()[0]
        if line.startswith((*BROUGHT, "source ")):
            continue
        if command == "nano":
            newcomer.edits(Path(line.split()[1].replace("~", str(newcomer.home))))
        elif line.endswith("--trust"):
            # A person would compare and type yes.
            printed[line] = newcomer.types(f"{line} --fingerprint {newcomer.simulator.fingerprint}")
        elif command == "enphase-gateway-database-meters":
            printed[line] = newcomer.types(line, until=lambda: has_reading(newcomer.folder / "enphase.db"))
        else:
            printed[line] = newcomer.types(line)
    assert "It is trusted now" in printed["enphase-gateway-console --trust"]
    assert printed["enphase-gateway-console"].startswith("IQ Gateway ")
    assert (newcomer.folder / "today.png").read_bytes().startswith(b"\x89PNG")
    assert not [each for each in printed.values() if "warning" in each]


def has_reading(database: Path) -> bool:
    """Whether a reading stands in the database."""
    if not database.exists():
        return False
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute("SELECT 1 FROM readings LIMIT 1").fetchone() is not None
        except sqlite3.OperationalError:
            # Its tables are being made.
            return False


def test_all_pages_install_in_one_way_and_type_commands_that_are_then_found() -> None:
    install = "python3 -m venv ~/enphase\nsource ~/enphase/bin/activate\npip install '.[all]'\n"
    readme = (PROJECT / "README.md").read_text()
    assert install in PAGE.read_text()
    assert install in readme
    for line in LINES[LINES.index("pip install '.[all]'") + 1 :]:
        assert line in readme or line.startswith("enphase-database status"), line
