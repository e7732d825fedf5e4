"""A short run of the consumer benchmark with a baseline."""

import json
import subprocess
import sys

import pytest

from development.steps import PROJECT

from .helpers import COMMAND


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_decoding_and_storing_are_measured_with_a_baseline() -> None:
    run = subprocess.run(
        [sys.executable, COMMAND, "consumer", "--quick", "--json", "--against", PROJECT],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    figures = [line["figure"] for line in lines]
    assert figures == ["messages_decoded", "messages_stored", "messages_consumed"]
    assert all(line["ours"] > 0 < line["reference"] for line in lines)
