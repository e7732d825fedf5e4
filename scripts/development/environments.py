"""Make the environments that the project's tests, tools and demo run in, inside the project's own folder.

    export PYTHONPATH=scripts
    python3 -m development.environments newest scripts-3.11    make these unless they exist
    python3 -m development.environments --list                 name the environments and what each is for
    python3 -m development.environments --lock                 resolve tests/requirements*.txt again

Needs only Python 3.9 or newer; uv and the wanted Python are installed where they are missing. An environment
is in .venv/NAME and is kept until the files that it was made from change. The commands in `scripts` call
`environment`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .steps import PROJECT, SetUpError, Words, one_at_a_time, run, say
from .toolchain import find_python, find_uv

ENVIRONMENTS = PROJECT / ".venv"
PYPROJECT = PROJECT / "pyproject.toml"
TESTS = PROJECT / "tests"


@dataclass(frozen=True)
class Environment:
    """Purpose and Python of an environment, and the files in tests/ that name its versions.

    What is in `compiled` is left out where it cannot be built. `size` is what it takes on disk.
    """

    purpose: str
    python: str
    versions: str
    compiled: str = ""
    size: str = "1.3 GB"

    @property
    def files(self) -> list[Path]:
        """What it is made from."""
        versions = [TESTS / name for name in (self.versions, self.compiled) if name]
        return [PYPROJECT, TESTS / "requirements.in", *versions]


KINDS = {
    "locked": Environment(
        "integration, the Home Assistant that pytest knows; ruff", "3.14", "requirements.txt"
    ),
    "oldest": Environment("integration, the oldest Home Assistant; mypy", "3.14", "requirements-oldest.in"),
    "newest": Environment(
        "integration, the newest Home Assistant; demo",
        "3.14",
        "requirements-newest.in",
        compiled="requirements-newest-compiled.in",
    ),
    "scripts-3.11": Environment("client and scripts", "3.11", "requirements-scripts.txt", size="200 MB"),
    "scripts-3.13": Environment("client and scripts", "3.13", "requirements-scripts.txt", size="200 MB"),
    "scripts-3.14": Environment(
        "client and scripts; mypy", "3.14", "requirements-scripts.txt", size="200 MB"
    ),
    "docs": Environment("documentation site", "3.14", "requirements-docs.txt", size="150 MB"),
}

# Each file of locked versions, with the oldest Python that it is for and further options of its resolution.
LOCKS: dict[str, tuple[str, Words]] = {
    "requirements": ("3.14.2", []),
    "requirements-scripts": ("3.11", ["--extra", "all", "--override", "tests/overrides-scripts.in"]),
    "requirements-docs": ("3.14", []),
}


def environment(name: str) -> Path:
    """Make that environment unless it is there as it should be, and return the path of its Python.

    Raises SetUpError, with what to do, if something that it needs cannot be had.
    """
    kind = KINDS[name]
    folder = ENVIRONMENTS / name
    interpreter = folder / "bin" / "python"
    stamp = folder / "made-from"
    with one_at_a_time():
        made_from = _hash_of(kind.files)
        if interpreter.exists() and stamp.exists() and stamp.read_text() == made_from:
            return interpreter
        base = find_python(kind.python)
        say(f"making .venv/{name} ({kind.purpose}): {kind.size}, some minutes the first time")
        stamp.unlink(missing_ok=True)
        run([find_uv(), "venv", "--quiet", "--allow-existing", "--no-project", "--python", base, folder])
        _install(interpreter, folder, kind)
        stamp.write_text(made_from)
    return interpreter


def _install(interpreter: Path, folder: Path, kind: Environment) -> None:
    into: Words = ["--quiet", "--python", interpreter]
    versions = TESTS / kind.versions
    if versions.suffix == ".txt":
        run([find_uv(), "pip", "sync", *into, "--require-hashes", versions])
    else:
        # Not locked: a release of Home Assistant pins its packages. This file has the last word on which one.
        resolved = folder / "requirements.txt"
        files: Words = [PYPROJECT, TESTS / "requirements.in", versions]
        run([find_uv(), "pip", "compile", *into, "--override", versions, "--output-file", resolved, *files])
        run([find_uv(), "pip", "sync", *into, resolved])
    if kind.compiled:
        try:
            run([find_uv(), "pip", "install", *into, "--no-deps", "--requirements", TESTS / kind.compiled])
        except SetUpError:
            say(f"what tests/{kind.compiled} names could not be compiled here and is left out")
    run([find_uv(), "pip", "install", *into, "--no-deps", "--editable", PROJECT])


def lock() -> None:
    """Resolve the locked versions again: for every platform, with hashes, naming no package index."""
    for name, (oldest, options) in LOCKS.items():
        say(f"resolving tests/{name}.txt")
        form: Words = [
            "--universal",
            "--generate-hashes",
            "--no-emit-index-url",
            "--no-header",
            "--no-annotate",
        ]
        files: Words = ["pyproject.toml", f"tests/{name}.in", "--output-file", f"tests/{name}.txt"]
        run([find_uv(), "pip", "compile", "--upgrade", "--python-version", oldest, *form, *options, *files])


def _hash_of(files: list[Path]) -> str:
    # Environments know their own path: a folder that was moved needs new ones.
    made_from = hashlib.sha256(os.fsencode(PROJECT))
    for file in files:
        made_from.update(file.read_bytes())
    return made_from.hexdigest()


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="environments to make")
    parser.add_argument("--list", action="store_true", help="name the environments and what each is for")
    parser.add_argument("--lock", action="store_true", help="resolve tests/requirements*.txt again")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(KINDS))
    if unknown:
        parser.error(f"unknown environment {', '.join(unknown)}: choose from {', '.join(KINDS)}")
    if not (arguments.names or arguments.list or arguments.lock):
        parser.error("name the environments to make, or see --list")
    if arguments.list:
        for name, kind in KINDS.items():
            made = "made" if (ENVIRONMENTS / name / "made-from").exists() else "not made"
            print(f"{name:13} Python {kind.python:5} {made:9} {kind.purpose}")
    try:
        if arguments.lock:
            lock()
        for name in arguments.names:
            print(environment(name))
    except SetUpError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
