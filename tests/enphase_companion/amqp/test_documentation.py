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
from enphase_companion.message import SCHEMA_VERSION, decode, encode

from ..amqp_helpers import build_message, encode_for_broker

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "messages.md").read_text()
EXAMPLES = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)


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
    content = json.loads(EXAMPLES[0])
    sent = json.loads(encode_for_broker(build_message(1)))
    assert list(content) == list(sent)
    assert [each["reportType"] for each in content["readings"]] == [
        each["reportType"] for each in sent["readings"]
    ]
    assert set(content["readings"][0]["cumulative"]) == set(sent["readings"][0]["cumulative"])
    assert content["schema_version"] == SCHEMA_VERSION


def test_the_example_of_panels_is_a_message() -> None:
    message = decode(EXAMPLES[1].encode())
    assert [each.energy for each in message.inverters] == [298_261.25, None]
    assert json.loads(encode(message)) == json.loads(EXAMPLES[1])


@pytest.mark.parametrize(
    "name",
    [
        Broker("amqp://localhost").exchange,
        f"{Broker('amqp://localhost').exchange}.DeadLetter",
        topology.ROUTING_KEY,
        topology.PARTIAL_ROUTING_KEY,
        topology.BINDING,
        topology.INVERTERS_ROUTING_KEY,
        topology.DATABASE_QUEUE,
    ],
)
def test_every_name_on_the_broker_is_documented(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_the_picture_of_the_pipeline_names_commands_that_exist_and_all_of_broker_and_database() -> None:
    drawing = (ROOT / "docs" / "pipeline.md").read_text().split("```")[1]
    drawn = set(re.findall(r"\b(?:gateway|amqp|database)_[a-z_]+", drawing)) - {"gateway_"}
    commands = {
        command.removeprefix("enphase-").replace("-", "_")
        for command in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    }
    assert drawn <= commands
    # "Another gateway_… script", and those that look after gateway or database.
    others = {"console", "generate_docs", "pyplot_meters", "unicorn_hat_hd"}
    assert commands - drawn == {"database", *(f"gateway_{name}" for name in others)}
