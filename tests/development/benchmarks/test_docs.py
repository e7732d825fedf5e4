"""A short run of the benchmark of pages and schemas."""

import json
import subprocess
import sys

from .helpers import COMMAND


def test_pages_and_inference_are_measured_beside_genson() -> None:
    run = subprocess.run(
        [sys.executable, COMMAND, "docs", "--quick", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["figure"] for line in lines] == [
        "pages_of_40_endpoints",
        "diff_of_two_gateways",
        "inference",
        "inference_memory",
    ]
    assert all(line["ours"] > 0 < line["reference"] for line in lines)
