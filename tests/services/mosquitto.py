"""Debian's MQTT clients, mosquitto_sub and mosquitto_pub."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import skip_unavailable

#: Seconds.
_TIMEOUT = 30

#: Begins the lines of messages, among those of the debug log.
_MARK = "message "


class Subscriber:
    """A running mosquitto_sub that writes its log and each message to a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def is_subscribed(self) -> bool:
        return "\nSubscribed (" in self._file.read_text()

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Topic and payload of each message so far."""
        lines = self._file.read_text().split("\n")[:-1]
        marked = (line.removeprefix(_MARK).partition(" ") for line in lines if line.startswith(_MARK))
        return [(topic, payload) for topic, _, payload in marked]

    def payloads(self, topic: str) -> list[Any]:
        """Return the payloads of a topic so far, parsed as JSON."""
        return [json.loads(payload) for name, payload in self.messages if name == topic]


@contextmanager
def subscribe(port: int, topic: str, file: Path, *, user: str = "guest") -> Iterator[Subscriber]:
    """Yield a client that has subscribed to a topic; `user` is its password, too."""
    command = _command("mosquitto_sub", port, user, "-t", topic, "-F", f"{_MARK}%t %p", "-d")
    with file.open("wb") as output:
        # Its log is flushed with each line, unless it writes to a file.
        process = subprocess.Popen(["stdbuf", "-oL", *command], stdout=output, stderr=subprocess.STDOUT)
    try:
        subscriber = Subscriber(file)
        end = time.monotonic() + _TIMEOUT
        while not subscriber.is_subscribed:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"mosquitto_sub does not subscribe:\n{file.read_text()}")
            time.sleep(0.02)
        yield subscriber
    finally:
        process.kill()
        process.wait(_TIMEOUT)


def publish(port: int, topic: str, payload: str, *options: str, user: str = "guest") -> None:
    """Publish a message; raises CalledProcessError if the broker refuses."""
    command = _command("mosquitto_pub", port, user, "-t", topic, "-m", payload, *options)
    subprocess.run(command, check=True, timeout=_TIMEOUT)


def _command(program: str, port: int, user: str, *arguments: str) -> list[str]:
    found = shutil.which(program)
    if found is None:
        skip_unavailable(program)
    return [found, "-h", "127.0.0.1", "-p", str(port), "-u", user, "-P", user, *arguments]
