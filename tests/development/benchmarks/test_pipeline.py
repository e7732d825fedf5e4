"""A short run of the pipeline benchmark, beside bare inserts."""

import json
import subprocess
import sys

import pytest

from .helpers import COMMAND


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_storing_is_measured_beside_bare_inserts() -> None:
    run = subprocess.run(
        [sys.executable, COMMAND, "pipeline", "--quick", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["figure"] for line in lines] == ["store_against_bare_inserts", "memory_store"]
    assert all(line["ours"] > 0 < line["reference"] for line in lines)
