"""The metrics for Prometheus that docs/scripts.md lists."""

from __future__ import annotations

import re
import socket
import urllib.request

import pytest

from enphase_companion.config.settings import Settings
from enphase_companion.runtime.errors import CommandError
from enphase_companion.runtime.metrics import COUNTERS, GAUGES, Metrics


def test_an_unknown_metric_is_an_error() -> None:
    metrics = Metrics()
    with pytest.raises(KeyError):
        metrics.count("messages_publishd")
    with pytest.raises(KeyError):
        metrics.set("spool_mesages", 1)


def find_free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_prometheus_reads_the_metrics() -> None:
    metrics = Metrics()
    metrics.count("messages_published", 3)
    metrics.set("spool_messages", 7)
    port = find_free_port()
    metrics.serve(port, "127.0.0.1")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    assert "enphase_messages_published_total 3.0\n" in text
    assert "enphase_spool_messages 7.0\n" in text


def test_metrics_listen_on_localhost_by_default() -> None:
    assert Settings.metrics_host == "127.0.0.1"
    port = find_free_port()
    # Every script creates its metrics like this, with the configured or the default address.
    Metrics(port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert answer.status == 200
    # All of 127.0.0.0/8 is the local host, but only one address is bound.
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.2:{port}/metrics", timeout=5)


def test_the_error_of_a_port_in_use_names_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CommandError, match=r"metrics_port: port \d+ of 127.0.0.1 cannot be used"):
            Metrics().serve(taken.getsockname()[1], "127.0.0.1")


@pytest.mark.parametrize(
    "name", [f"enphase_{name}_total" for name in COUNTERS] + [f"enphase_{name}" for name in GAUGES]
)
def test_metric_names_follow_the_rules_of_prometheus(name: str) -> None:
    assert re.fullmatch(r"enphase_[a-z]+(_[a-z]+)+", name)


@pytest.mark.parametrize("text", [*COUNTERS.values(), *GAUGES.values()])
def test_metric_help_is_a_sentence(text: str) -> None:
    assert re.fullmatch(r"[A-Z].*[^.]\.", text)
