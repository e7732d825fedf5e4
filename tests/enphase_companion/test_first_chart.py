"""docs/first-chart.md: its commands are run line by line with an empty home and a simulated gateway."""

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

#: Commands that tests skip: the packages are installed already, and there may be no network.
SKIPPED = ("git clone ", "cd ", "python3 -m venv ", "pip install ")

LINES = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


class NewUser:
    """A user with an empty home folder and one terminal."""

    def __init__(self, home: Path, simulator: Simulator) -> None:
        self.home = home
        self.folder = home / "enphase-iq-gateway"
        self.simulator = simulator
        self.folder.mkdir(parents=True)
        (self.folder / "configuration").symlink_to(PROJECT / "configuration")
        activate = home / "enphase/bin/activate"
        activate.parent.mkdir(parents=True)
        activate.write_text(f"export PATH={Path(sys.executable).parent}:$PATH\n")

    def run(self, line: str, until: Callable[[], bool] | None = None) -> str:
        """Run a line, with Ctrl-C once `until` is true, and return its output. It must succeed."""
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

    def edit(self, file: Path) -> None:
        """Fill in the settings that the page names."""
        content = json.loads(file.read_text())
        content["gateway_host"] = self.simulator.url
        content["enphase_username"], content["enphase_password"] = (
            self.simulator.username,
            self.simulator.password,
        )
        # The simulated Entrez replaces Enphase's.
        content["entrez_host"] = self.simulator.entrez_url
        file.write_text(json.dumps(content))


@pytest.fixture(params=["three-phase", "no-meters"])
def new_user(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewUser]:
    with Simulator(request.param, hour_of_day=12) as simulator:
        yield NewUser(tmp_path, simulator)


@pytest.mark.slow
def test_the_commands_of_the_page_create_a_chart(new_user: NewUser) -> None:
    printed = {}
    for line in LINES:
        command = line.split()[0]
        if line.startswith((*SKIPPED, "source ")):
            continue
        if command == "nano":
            new_user.edit(Path(line.split()[1].replace("~", str(new_user.home))))
        elif line.endswith("--trust"):
            # A user would compare the fingerprint and enter yes.
            printed[line] = new_user.run(f"{line} --fingerprint {new_user.simulator.fingerprint}")
        elif command == "enphase-gateway-database-meters":
            printed[line] = new_user.run(line, until=lambda: has_reading(new_user.folder / "enphase.db"))
        else:
            printed[line] = new_user.run(line)
    assert "It is trusted now" in printed["enphase-gateway-console --trust"]
    assert printed["enphase-gateway-console"].startswith("IQ Gateway ")
    assert (new_user.folder / "today.png").read_bytes().startswith(b"\x89PNG")
    assert not [each for each in printed.values() if "warning" in each]


def has_reading(database: Path) -> bool:
    """Whether the database contains a reading."""
    if not database.exists():
        return False
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute("SELECT 1 FROM readings LIMIT 1").fetchone() is not None
        except sqlite3.OperationalError:
            # The tables are not complete yet.
            return False


def test_readme_and_page_use_one_installation() -> None:
    install = "python3 -m venv ~/enphase\nsource ~/enphase/bin/activate\npip install '.[all]'\n"
    assert install in PAGE.read_text()
    assert install in (PROJECT / "README.md").read_text()
