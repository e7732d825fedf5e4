"""A short run of the benchmark of charts."""

import json
import subprocess
import sys

import pytest

from development.benchmarks.options import BENCHMARKS

from .helpers import COMMAND


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_chart_is_measured_beside_a_script_that_draws_the_same_points() -> None:
    run = subprocess.run(
        [sys.executable, COMMAND, "charts", "--quick", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    names = [*BENCHMARKS["charts"].parts[:-1], "month_against_raw_rows"]
    assert [line["figure"] for line in lines] == [
        f"{name}{of}" for name in names for of in ("", "_cpu", "_memory")
    ]
    assert all(line["ours"] > 0 < line["reference"] for line in lines)
