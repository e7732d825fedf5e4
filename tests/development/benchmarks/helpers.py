"""The command of the benchmarks."""

from development.steps import PROJECT

COMMAND = PROJECT / "scripts" / "benchmark"
