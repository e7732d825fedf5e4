"""Run a private RabbitMQ on loopback: `python -m development.demo.broker FOLDER`.

Prints its URL once it answers, and ends it on SIGTERM, which comes at the latest when the parent ends: a demo
that is killed leaves no broker behind.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.services.rabbitmq import running

from .guard import end_with_parent


def main() -> int:
    """Run the broker in an empty folder and return the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    end_with_parent(signal.SIGTERM)
    try:
        with running(Path(sys.argv[1])) as broker:
            print(broker.url, flush=True)
            try:
                signal.pause()
            finally:
                # The demo may send one as well: nothing interrupts the end.
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except KeyboardInterrupt:
        return 0
    except RuntimeError as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
