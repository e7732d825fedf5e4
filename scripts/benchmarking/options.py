"""What can be said to scripts/benchmark; standard library only, as `--help` needs nothing set up."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from enphase_companion.settings.options import Parser


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: the module of this name here, what it compares, where it runs, and its parts."""

    about: str
    environment: str
    parts: tuple[str, ...]


BENCHMARKS = {
    "refresh": Benchmark(
        "one refresh of the integration, beside Home Assistant's built-in enphase_envoy and its pyenphase",
        "locked",
        ("requests", "busy", "cpu", "set-up", "load", "memory"),
    ),
}

_EXAMPLES = """\
examples:
  scripts/benchmark refresh                  all figures, in a table: a quarter of an hour
  scripts/benchmark refresh --part requests  only what the gateway is asked for
  scripts/benchmark refresh --json           one line of JSON a figure, for a script
  scripts/benchmark refresh --quick          whether it works: a minute, and figures that mean little

A simulated gateway answers both sides in the same run. docs/benchmarks.md says how each figure is measured.
"""


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Return the options as given: name, parts, json, quick."""
    about = "\n".join(f"  {name:10} {benchmark.about}" for name, benchmark in BENCHMARKS.items())
    options = Parser(
        prog="scripts/benchmark",
        description=f"Measures what this project costs beside what others cost, on this machine.\n\n{about}",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("name", choices=BENCHMARKS, metavar="NAME", help="the benchmark")
    options.add_argument(
        "--part",
        action="append",
        dest="parts",
        metavar="PART",
        help=f"only this part of it; may be given again (refresh: {', '.join(BENCHMARKS['refresh'].parts)})",
    )
    options.add_argument("--json", action="store_true", help="a line of JSON a figure in place of the table")
    options.add_argument("--quick", action="store_true", help="as short as can be, to see that it works")
    given = options.parse_args(words)
    parts = BENCHMARKS[given.name].parts
    if unknown := sorted(set(given.parts or ()) - set(parts)):
        options.error(f"{given.name} has no part {', '.join(unknown)}; it has {', '.join(parts)}")
    given.parts = [part for part in parts if not given.parts or part in given.parts]
    return given
