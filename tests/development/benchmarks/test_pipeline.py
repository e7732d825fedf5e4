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
    assert all(line["ours"] > 0 < line["reference"] for line in lines)
