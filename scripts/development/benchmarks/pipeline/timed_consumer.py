"""The script amqp_database_meters, which also notes when each message was committed.

    python -m development.benchmarks.pipeline.timed_consumer FILE OPTION...

When it ends, FILE has the seconds from the timestamp of each message to its commit: 8 bytes each.
"""

from __future__ import annotations

import sys
import time
from array import array
from collections.abc import Sequence
from pathlib import Path

from enphase_companion.commands.amqp_database_meters import main
from enphase_companion.delivery.sink import Sink
from enphase_companion.message import Message

_latencies = array("d")
_write = Sink.write


async def _write_and_note(self: Sink, messages: Sequence[Message]) -> None:
    await _write(self, messages)
    now = time.time()
    _latencies.extend(now - message.timestamp for message in messages)


if __name__ == "__main__":
    Sink.write = _write_and_note  # type: ignore[method-assign]
    file, *words = sys.argv[1:]
    status = main(words)
    Path(file).write_bytes(_latencies.tobytes())
    sys.exit(status)
