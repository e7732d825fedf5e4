"""python -m tests.fuzzing: search for input that is neither parsed nor rejected."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

PROJECT = Path(__file__).parents[2]

#: Maximum process time (seconds) of an input, and again for each 100 kB of it. Instrumented code is about ten
#: times slower.
LONGEST = 2.0
#: Maximum memory of the process (MB).
MEMORY = 1024
#: Maximum size of an input (bytes).
LARGEST = 20_000
LITERAL = b"\x00"


def main() -> int:
    """Run the command and return its exit status: 1 if an input failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help="a target of targets.py")
    parser.add_argument("--seconds", type=int, default=600, help="duration for each target (default: 600)")
    parser.add_argument("--kept", type=Path, help="folder for failing inputs (default: a new one)")
    parser.add_argument("--again", type=Path, help="run the input in this file only")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    kept = options.kept or Path(tempfile.mkdtemp(prefix="fuzzing-"))
    if options.again is not None:
        for name in options.names:
            _targets()[name].run(options.again.read_bytes())
        return 0
    if options.alone:
        _fuzz(options.names[0], options.seconds, kept)
    # libFuzzer ends its process, so each target runs in its own.
    command = [sys.executable, "-m", "tests.fuzzing", "--alone"]
    statuses = [
        subprocess.run(
            [*command, name, "--seconds", str(options.seconds), "--kept", str(kept)],
            cwd=PROJECT,
            check=False,
        ).returncode
        for name in options.names
    ]
    return 1 if any(statuses) else 0


def _targets() -> Any:
    # Import the client from its folder in the integration, where the instrumentation finds it.
    sys.path[:0] = [str(PROJECT / "scripts"), str(PROJECT / "custom_components" / "enphase_iq_gateway")]
    from .targets import TARGETS  # noqa: PLC0415 - found only after the change of sys.path

    return TARGETS


def _fuzz(name: str, seconds: int, kept: Path) -> None:
    """Search for a failing input of this target until one fails or the time is over; never return."""
    atheris = _atheris()
    with atheris.instrument_imports(
        include=["enphase_api", "enphase_companion", "integration", "html", "xml"]
    ):
        target = _targets()[name]
    from hypothesis import HealthCheck, Phase, given, settings  # noqa: PLC0415 - not needed with --again

    kept.mkdir(parents=True, exist_ok=True)
    seeds = Path(tempfile.mkdtemp(prefix=f"fuzzing-{name}-"))

    @settings(max_examples=50, phases=[Phase.generate], database=None, deadline=None)
    @given(target.inputs)
    def write_seed(body: bytes) -> None:
        (seeds / hashlib.sha256(body).hexdigest()).write_bytes(LITERAL + body)

    write_seed()

    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(target.inputs)
    def run_generated(body: bytes) -> None:
        _run_timed(target.run, body, kept / name)

    def run_one(data: bytes) -> None:
        # Other data drives the strategy that generates the input.
        if data[:1] == LITERAL and name != "properties":
            _run_timed(target.run, data[1:], kept / name)
        else:
            run_generated.hypothesis.fuzz_one_input(data[1:])

    # The companion would log a warning for each input.
    logging.getLogger("enphase_companion").setLevel(logging.CRITICAL)
    arguments = {
        "max_total_time": seconds,
        "max_len": LARGEST,
        "len_control": 0,
        "rss_limit_mb": MEMORY,
        "timeout": int(LONGEST * 5),
        "artifact_prefix": f"{kept}/",
        "print_final_stats": 1,
    }
    atheris.Setup([name, *(f"-{key}={value}" for key, value in arguments.items()), str(seeds)], run_one)
    atheris.Fuzz()


def _run_timed(run: Callable[[bytes], None], body: bytes, kept: Path) -> None:
    """Run one input and store it if it fails or takes too long."""
    begun = time.process_time()
    try:
        run(body)
        taken = time.process_time() - begun
        if taken > LONGEST * (1 + len(body) / 100_000):
            raise TimeoutError(f"{taken:.1f} s for {len(body)} bytes")
    except Exception:
        kept.write_bytes(body)
        print(f"stored in {kept}", file=sys.stderr)
        raise


def _atheris() -> ModuleType:
    try:
        # Not a dependency of the project, and untyped.
        return importlib.import_module("atheris")
    except ImportError:
        raise SystemExit("Atheris is missing: see tests/fuzzing/__init__.py") from None


if __name__ == "__main__":
    sys.exit(main())
