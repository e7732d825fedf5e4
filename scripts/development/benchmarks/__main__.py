"""The command itself, run by scripts/benchmark in the environment that has what is compared."""

from __future__ import annotations

import signal
import sys
from importlib import import_module

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from . import options
from .measures import BenchmarkError
from .results import build_table, machine


def main() -> int:
    """Run the command and return its exit status."""
    given = options.parse_arguments()
    benchmark = import_module(f"{__package__}.{given.name.replace('-', '_')}")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    results = []
    try:
        with Progress(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
        ) as progress:
            more = {"messages": given.messages} if options.BENCHMARKS[given.name].takes_messages else {}
            if options.BENCHMARKS[given.name].takes_days:
                more = {"days": given.days, "mariadb": given.mariadb}
            for result in benchmark.run(
                given.parts, progress, quick=given.quick, against=given.against, **more
            ):
                results.append(result)
                if given.json:
                    print(result.as_json(), flush=True)
    except BenchmarkError as error:
        print(f"scripts/benchmark: {error}", file=sys.stderr)
        return 1
    if not given.json:
        console = Console(highlight=False)
        console.print(build_table(results))
        console.print(f"\n{machine(*benchmark.PACKAGES)}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    # Also when the system ends it, servers that were started are stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
