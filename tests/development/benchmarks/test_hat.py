"""A short run of the HAT's benchmark."""

import json
import subprocess
import sys

from .helpers import COMMAND


def test_each_scene_is_measured_beside_the_same_picture_drawn_led_by_led() -> None:
    run = subprocess.run(
        [sys.executable, COMMAND, "hat", "--quick", "--json", "--part", "frame"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    scenes = ("weather", "power", "bars", "day", "panels")
    assert [line["figure"] for line in lines] == [f"frame_of_{scene}" for scene in scenes]
    assert all(line["ours"] > 0 < line["reference"] for line in lines)
