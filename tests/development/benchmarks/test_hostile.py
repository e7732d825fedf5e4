"""A short run of the benchmark of hostile devices with a baseline, and the responses of these devices."""

import asyncio
import json
import subprocess
import sys

import pytest

from development.benchmarks.strangers import INFO_LIMIT, KINDS, LARGE, Stranger, listen_on_loopback
from development.steps import PROJECT

from .helpers import COMMAND


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_kinds_of_hostile_devices_are_measured_with_a_baseline() -> None:
    run = subprocess.run(
        [sys.executable, COMMAND, "hostile", "--quick", "--json", "--against", PROJECT],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert {line["benchmark"] for line in lines} == {"hostile"}
    measured = {line["figure"] for line in lines}
    assert measured == {
        f"{figure}_of_{what}"
        for figure in ("longest_blockage", "event_loop_cpu", "memory_left")
        for what in (*KINDS, "a_minute")
    }
    assert all(line["ours"] > 0 < line["reference"] for line in lines if "memory" not in line["figure"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_device_reports_the_announced_serial_number(kind: str) -> None:
    pieces = KINDS[kind]("122400000007")
    assert kind == "compressed" or b"<sn>122400000007</sn>" in pieces[0]


def test_response_sizes_are_below_above_and_far_above_the_limit() -> None:
    sizes = {kind: sum(map(len, answer("122400000007"))) for kind, answer in KINDS.items()}
    assert sizes["at_limit"] == INFO_LIMIT
    assert sizes["over_limit"] == INFO_LIMIT + 1
    assert sizes["elements"] == LARGE <= sizes["firmware"]
    assert sizes["compressed"] < LARGE / 10


async def test_a_slow_hostile_device_never_completes_its_response() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"GET /info HTTP/1.1\r\n\r\n")

    class Writer:
        sent = b""

        def write(self, data: bytes) -> None:
            self.sent += data

        async def drain(self) -> None:
            pass

        def close(self) -> None:
            self.closed = True

    writer = Writer()
    await Stranger("drip", "122400000007", 0.2).serve(reader, writer)  # type: ignore[arg-type]
    assert writer.sent.endswith(b"\r\n\r\n<?")
    assert writer.closed


def test_hostile_devices_listen_on_different_ports_until_closed() -> None:
    with listen_on_loopback([Stranger("gateway", "122400000007", 0.0)] * 2) as ports:
        assert len(set(ports)) == 2
