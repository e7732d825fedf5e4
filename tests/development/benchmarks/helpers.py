"""The command that the tests of the benchmarks start."""

from development.steps import PROJECT

COMMAND = PROJECT / "scripts" / "benchmark"
