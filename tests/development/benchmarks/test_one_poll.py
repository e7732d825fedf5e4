"""A short run of the benchmark of one poll for all, and its results that do not depend on the machine."""

import json
import subprocess
import sys

import pytest

from development.steps import PROJECT

from .helpers import COMMAND

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def test_scripts_that_read_from_home_assistant_send_no_requests_to_the_gateway() -> None:
    # Of the build that it is compared with, the scripts poll by themselves.
    run = subprocess.run(
        [sys.executable, COMMAND, "one-poll", "--quick", "--json", "--against", PROJECT],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures = {line["figure"]: line for line in map(json.loads, run.stdout.splitlines())}
    assert set(figures) == {
        "polls_per_minute",
        "requests_per_minute",
        "reading_to_listener_p50",
        "reading_to_listener_p99",
        "event_loop_cpu_per_second",
        "event_loop_cpu_per_second_with_everything",
        "memory",
    }
    # One of four programs polls. A busy machine may miss a poll.
    assert figures["polls_per_minute"]["ours"] <= 8
    assert figures["polls_per_minute"]["ratio"] < 0.5
