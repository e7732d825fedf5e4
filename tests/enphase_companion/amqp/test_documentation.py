"""docs/messages.md describes the broker's objects and each key; docs/pipeline.md draws the data flow."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from enphase_companion.amqp import topology
from enphase_companion.amqp.broker import Broker
from enphase_companion.message import SCHEMA_VERSION

from ..amqp_helpers import build_message, encode_for_broker

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "messages.md").read_text()


def collect_keys(content: Any) -> set[str]:
    """Return the keys of all levels."""
    if isinstance(content, list):
        return {key for each in content for key in collect_keys(each)}
    if isinstance(content, dict):
        return set(content) | {key for each in content.values() for key in collect_keys(each)}
    return set()


@pytest.mark.parametrize("key", sorted(collect_keys(json.loads(encode_for_broker(build_message(1))))))
def test_every_key_of_a_message_is_documented(key: str) -> None:
    assert f"`{key}`" in TEXT or f'"{key}":' in TEXT


def test_the_example_has_the_format_of_a_published_message() -> None:
    [example] = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    content = json.loads(example)
    sent = json.loads(encode_for_broker(build_message(1)))
    assert list(content) == list(sent)
    assert [each["reportType"] for each in content["readings"]] == [
        each["reportType"] for each in sent["readings"]
    ]
    assert set(content["readings"][0]["cumulative"]) == set(sent["readings"][0]["cumulative"])
    assert content["schema_version"] == SCHEMA_VERSION


@pytest.mark.parametrize(
    "name",
    [
        Broker("amqp://localhost").exchange,
        f"{Broker('amqp://localhost').exchange}.DeadLetter",
        topology.ROUTING_KEY,
        topology.PARTIAL_ROUTING_KEY,
        topology.BINDING,
        topology.DATABASE_QUEUE,
    ],
)
def test_every_name_on_the_broker_is_documented(name: str) -> None:
    assert f"`{name}`" in TEXT


#: The directions of each box-drawing character: up, right, down, left.
ARMS = {"─": "RL", "│": "UD", "┌": "RD", "┐": "DL", "└": "UR", "┘": "UL", "├": "URD", "┤": "UDL", "┬": "RDL"}
STEPS = {"U": (-1, 0, "D"), "D": (1, 0, "U"), "L": (0, -1, "R"), "R": (0, 1, "L")}


def test_the_lines_of_the_pipeline_diagram_connect_and_name_every_command() -> None:
    text = (ROOT / "docs" / "pipeline.md").read_text()
    drawing = text.split("```")[1]
    cells = {
        (row, column): sign
        for row, line in enumerate(drawing.splitlines())
        for column, sign in enumerate(line)
    }
    for (row, column), sign in cells.items():
        for arm in ARMS.get(sign, ""):
            down, right, back = STEPS[arm]
            neighbor = cells.get((row + down, column + right), " ")
            # A horizontal line may end in a space before a label.
            assert back in ARMS.get(neighbor, "") or (arm in "LR" and neighbor == " "), (row, column, sign)
    commands = {
        command.removeprefix("enphase-").replace("-", "_")
        for command in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    }
    assert commands - {word.strip(",") for word in drawing.split()} == {"gateway_generate_docs"}
