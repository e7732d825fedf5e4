"""A short run of the benchmark of the map of the panels."""

import json
import subprocess
import sys

import pytest

from .helpers import COMMAND


@pytest.mark.browser
def test_drawing_the_map_is_measured_beside_plain_buttons() -> None:
    run = subprocess.run(
        [sys.executable, COMMAND, "dashboard", "--quick", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["unit"] for line in lines] == ["ms", "ms"]
    assert all(line["ours"] > 0 < line["reference"] for line in lines)
