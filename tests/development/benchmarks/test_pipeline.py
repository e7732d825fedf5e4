"""A short run of the pipeline benchmark."""

import json
import subprocess
import sys

import pytest

from development.benchmarks.options import BENCHMARKS
from development.steps import PROJECT

from .helpers import COMMAND

FIGURES = {
    "store_against_one_commit_a_message": ["store_against_one_commit_a_message"],
    "store_against_executemany": ["store_against_executemany"],
    "store_against_bare_inserts": ["store_against_bare_inserts_sqlite", "store_against_bare_inserts_mariadb"],
    "consumers_two": ["consumers_two"],
    "consumers_three": ["consumers_three"],
    "publish_against_bare_publish": ["publish_against_bare_publish"],
    "spool_replay": ["spool_replay"],
    "fleet_1000": ["fleet_1000_p50", "fleet_1000_p99"],
    "fleet_ceiling": ["fleet_ceiling_3000", "fleet_ceiling_5000"],
    "bytes_written_per_day": [
        "bytes_written_per_day",
        "bytes_written_per_day_60_s",
        "bytes_written_against_build",
    ],
    "memory": ["memory_after_50000_messages"],
    "against": ["drain_against_build", "memory_against_build"],
}


@pytest.mark.slow
@pytest.mark.services("rabbitmqctl", "mariadbd")
@pytest.mark.timeout(1200)
def test_each_part_measures_ours_beside_a_reference() -> None:
    run = subprocess.run(
        [sys.executable, COMMAND, "pipeline", "--quick", "--json", "--against", PROJECT],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    expected = [figure for part in BENCHMARKS["pipeline"].parts for figure in FIGURES[part]]
    assert [line["figure"] for line in lines] == expected
    # A short run ends before the first flush.
    measured = [line for line in lines if line["figure"] != "bytes_written_per_day_60_s"]
    assert all(line["ours"] > 0 < line["reference"] for line in measured)
