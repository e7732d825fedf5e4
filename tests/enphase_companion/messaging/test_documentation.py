"""docs/messages.md names what stands on the broker and every key of a message."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from enphase_companion.message import SCHEMA_VERSION, encode
from enphase_companion.messaging import topology
from enphase_companion.messaging.broker import Broker

from ..on_the_broker import message

TEXT = (Path(__file__).parents[3] / "docs" / "messages.md").read_text()


def keys(content: Any) -> set[str]:
    """Every key, at every depth."""
    if isinstance(content, list):
        return {key for each in content for key in keys(each)}
    if isinstance(content, dict):
        return set(content) | {key for each in content.values() for key in keys(each)}
    return set()


@pytest.mark.parametrize("key", sorted(keys(json.loads(encode(message(1))))))
def test_each_key_of_a_message_is_explained(key: str) -> None:
    assert f"`{key}`" in TEXT or f'"{key}":' in TEXT


def test_its_example_is_json_in_the_form_that_is_sent() -> None:
    [example] = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    content = json.loads(example)
    sent = json.loads(encode(message(1)))
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
def test_each_name_on_the_broker_stands_there(name: str) -> None:
    assert f"`{name}`" in TEXT
