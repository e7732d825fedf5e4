"""Options of scripts/soak; standard library only, since `--help` needs no environment."""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from enphase_companion.config.command_line import Parser

#: Descriptions of the kinds of faults by name; `faults.py` has a function for each.
KINDS = {
    "kill-publisher": "kill -9 of a publisher",
    "kill-consumer": "kill -9 of a consumer",
    "kill-direct": "kill -9 of a gateway_database_meters",
    "kill-broker": "kill -9 of RabbitMQ",
    "kill-database": "kill -9 of MariaDB",
    "kill-publisher-in-replay": "kill -9 of both publishers in an outage, or while they send their spools",
    "kill-direct-in-replay": "kill -9 of a gateway_database_meters in or after an outage",
    "kill-consumer-in-mid-stream": "kill -9 of a consumer while it stores 4,000 messages",
    "kill-broker-in-mid-stream": "kill -9 of RabbitMQ meanwhile",
    "kill-database-in-mid-stream": "kill -9 of MariaDB meanwhile",
    "kill-consumer-in-transaction": "kill -9 of both consumers before the commit",
    "kill-consumer-before-ack": "kill -9 of both consumers between commit and acknowledgement",
    "kill-broker-before-ack": "kill -9 of RabbitMQ between commit and acknowledgement",
    "kill-publisher-before-confirm": "kill -9 of both publishers before the broker's confirmation",
    "kill-database-in-commit": "kill -9 of MariaDB before it reports a commit",
    "restart": "SIGTERM of a script, and a new start",
    "pause-publisher": "SIGSTOP of a publisher, 40 s",
    "pause-consumer": "SIGSTOP of a consumer, 40 s",
    "pause-direct": "SIGSTOP of a gateway_database_meters, 40 s",
    "pause-broker": "SIGSTOP of RabbitMQ, 40 s",
    "pause-database": "SIGSTOP of MariaDB, 70 s",
    "cut": "connections to broker or database reset",
    "black-hole": "nothing passes to or from broker or database, 1 to 8 s",
    "long-black-hole": "nothing passes to or from broker or database, 40 s",
    "disk-alarm": "RabbitMQ's disk alarm",
    "spool-disk-full": "the disk of the spools full, broker and database away",
    "sqlite-disk-full": "the disk of SQLite's database full",
    "mariadb-disk-full": "the disk of MariaDB full",
    "poison": "1,000 messages that can never be stored",
    "poison-and-kill": "1,000 such messages, and kill -9 of a consumer",
    "doubles": "readings published several times",
    "conflicts": "several readings of the same second, as of a clock that is set back",
    "late": "readings two days or two months late",
    "strange": "message properties that the library cannot decode",
    "clock-jump": "the clock of a gateway set back or ahead",
    "gateway-fails": "a gateway that does not answer, or with errors",
    "upgrade": "enphase-database upgrade meanwhile",
    "rebuild": "enphase-database rebuild meanwhile, sometimes killed",
    "prune": "enphase-database prune meanwhile, sometimes killed",
    "partition": "enphase-database partition meanwhile, sometimes killed",
}

_EXAMPLES = """\
examples:
  scripts/soak --minutes 1                      a minute of random faults
  nice scripts/soak --minutes 10                every night
  scripts/soak --minutes 1 --seed 4711          the faults of an earlier run again
  scripts/soak --minutes 2 --kind kill-broker   only this kind of fault

exit status: 0 nothing is lost, doubled or wrong; 1 something is, or a program ended by itself; 2 usage error
"""


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Return the options: minutes, seed, kinds, folder."""
    kinds = "\n".join(f"  {name:30} {about}" for name, about in KINDS.items())
    options = Parser(
        prog="scripts/soak",
        description=(
            "Runs the whole pipeline on private servers: simulated gateways, the real commands, RabbitMQ,\n"
            "MariaDB and SQLite. Random faults strike it one after the other. At the end, what the gateways\n"
            f"said is compared with what is stored. Kinds of faults:\n\n{kinds}"
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        "--minutes", type=_positive, default=1.0, metavar="N", help="minutes of faults (default: 1)"
    )
    options.add_argument(
        "--seed", type=int, metavar="N", help="repeat the faults of the run that printed this seed"
    )
    options.add_argument(
        "--kind",
        action="append",
        dest="kinds",
        choices=KINDS,
        metavar="KIND",
        help="only this kind of fault; may be repeated",
    )
    options.add_argument(
        "--folder",
        type=lambda folder: Path(folder).resolve(),
        metavar="FOLDER",
        help="keep logs and databases in this empty folder (default: a temporary one, deleted at the end)",
    )
    given = options.parse_args(words)
    if given.folder is not None and given.folder.exists() and any(given.folder.iterdir()):
        options.error(f"--folder {given.folder}: is not empty")
    if given.seed is None:
        given.seed = random.randrange(100_000)
    given.kinds = given.kinds or list(KINDS)
    return given


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value
