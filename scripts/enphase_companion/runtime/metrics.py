"""Metrics of a long-running script, for its status line and, if a port is set, for Prometheus."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

from .errors import CommandError, how_to_install

#: Help text by name, without the prefix `enphase_` and the suffix `_total` that Prometheus sees.
COUNTERS = {
    "polls_succeeded": "Polls of the gateway, or messages of Home Assistant, with readings.",
    "polls_skipped": "Polls skipped because the previous one overran.",
    "polls_failed": "Polls that failed: the gateway, or Home Assistant, gave no answer or an error.",
    "messages_published": "Messages confirmed by the broker.",
    "messages_unroutable": "Messages returned by the broker because no queue is bound.",
    "messages_stored": "Messages committed to the database.",
    "readings_refused": "Readings not stored: with a date that cannot be right, or too many of one time.",
    "messages_dead_lettered": "Messages moved to the dead-letter exchange: not readable or never storable.",
    "messages_dropped": "Messages lost: the spool is full or not writable, or never storable.",
}

#: Help text by name, without the prefix `enphase_`.
GAUGES = {
    "spool_messages": "Messages in the spool: on disk, or in memory while the disk is not writable.",
}


class Metrics:
    """The metrics of one script; a name that is in neither table raises KeyError."""

    def __init__(self, port: int | None = None, host: str = "127.0.0.1") -> None:
        """`port` and `host`: the address for Prometheus; None: not served. Raises as `serve` does."""
        self._values: dict[str, float] = {}
        if port is not None:
            self.serve(port, host)

    def __getitem__(self, name: str) -> float:
        if name not in COUNTERS and name not in GAUGES:
            raise KeyError(name)
        return self._values.get(name, 0)

    def count(self, name: str, amount: float = 1) -> None:
        """Increment a counter."""
        self._values[name] = self[name] + amount

    def set(self, name: str, value: float) -> None:
        """Set a gauge."""
        self._values[name] = value + 0 * self[name]

    def serve(self, port: int, host: str) -> None:
        """Serve the metrics to Prometheus from a thread until the program ends.

        Raises CommandError if that is not possible.
        """
        try:
            from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415
        except ModuleNotFoundError:
            raise CommandError(
                "metrics_port: the Python package prometheus-client is missing: leave the setting out, or "
                f"install the project, in its folder: {how_to_install('metrics')}"
            ) from None
        registry = CollectorRegistry()
        registry.register(self)
        try:
            start_http_server(port, host, registry)
        except socket.gaierror as error:
            raise CommandError(
                f"metrics_host: {host} is not an address of this machine: set one, such as 127.0.0.1"
            ) from error
        except OSError as error:
            raise CommandError(
                f"metrics_port: port {port} of {host} cannot be used ({error.strerror}): set another "
                "port, or another metrics_host"
            ) from error

    def collect(self) -> Iterable[Any]:
        """Yield the metrics of this script for Prometheus."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

        for name, value in list(self._values.items()):
            if name in COUNTERS:
                yield CounterMetricFamily(f"enphase_{name}", COUNTERS[name], value=value)
            else:
                yield GaugeMetricFamily(f"enphase_{name}", GAUGES[name], value=value)
