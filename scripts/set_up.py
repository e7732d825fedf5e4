#!/usr/bin/env python3
"""Make the environments that the project's tests, tools and demo run in, all inside the project's own folder.

    python3 scripts/set_up.py newest scripts-3.11    make these (or find them made)
    python3 scripts/set_up.py --list                 what there is, and what each is for
    python3 scripts/set_up.py --lock                 resolve tests/requirements*.txt anew (after a change of a .in file)

Needs only a Python 3.9 or newer: uv and the wanted Python are brought if they are missing (set_up_tools.py). An
environment lies in .venv/NAME and is left alone as long as what it was made from has not changed.

`scripts/test` and `scripts/demo` import this file and call `environment`.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import sys
from pathlib import Path

from set_up_tools import PROJECT, TOOLS, SetUpError, python, run, say, uv

ENVIRONMENTS = PROJECT / ".venv"
TESTS = PROJECT / "tests"
PYPROJECT = PROJECT / "pyproject.toml"

# name: what it is for, its Python, and what its packages come from
KINDS = {
    "locked": ("Home Assistant as the pytest plug-in knows it, and the tools", "3.14", ["requirements.txt"]),
    "oldest": ("the oldest Home Assistant supported; mypy", "3.14", ["requirements.in", "requirements-oldest.in"]),
    "newest": ("the newest Home Assistant; demo, browser", "3.14", ["requirements.in", "requirements-newest.in"]),
    "scripts-3.11": ("client and scripts, no Home Assistant", "3.11", ["requirements-scripts.txt"]),
    "scripts-3.13": ("client and scripts, no Home Assistant", "3.13", ["requirements-scripts.txt"]),
    "scripts-3.14": ("client and scripts, no Home Assistant", "3.14", ["requirements-scripts.txt"]),
}

# name of the lock file: the oldest Python it holds for, and further options
LOCKS = {
    "requirements": ("3.14.2", []),
    "requirements-scripts": ("3.11", ["--extra", "all"]),
}


def environment(name):
    """Make the environment of that name if it is not there as it should be, and return the path of its Python."""
    _, version, sources = KINDS[name]
    folder = ENVIRONMENTS / name
    interpreter = folder / "bin" / "python"
    files = [TESTS / source for source in sources]
    with _one_at_a_time():
        stamp = folder / "made-from"
        made_from = _hash_of([PYPROJECT, *files])
        if interpreter.exists() and stamp.exists() and stamp.read_text() == made_from:
            return interpreter
        base = python(version)
        say(f"making .venv/{name} ({KINDS[name][0]})")
        stamp.unlink(missing_ok=True)
        run([uv(), "venv", "--quiet", "--allow-existing", "--no-project", "--python", base, folder])
        _install(interpreter, folder, files)
        stamp.write_text(made_from)
    return interpreter


def _install(interpreter, folder, files):
    options = ["--quiet", "--python", interpreter]
    locked = [file for file in files if file.suffix == ".txt"]
    if not locked:
        # A release of Home Assistant pins nearly all of its packages: what is added here resolves to much the same.
        resolved = folder / "requirements.txt"
        overrides = ["--override", files[-1]]
        run([uv(), "pip", "compile", *options, "--no-header", *overrides, "-o", resolved, PYPROJECT, *files])
        locked = [resolved]
    else:
        options.append("--require-hashes")
    run([uv(), "pip", "sync", *options, *locked])
    run([uv(), "pip", "install", "--quiet", "--python", interpreter, "--no-deps", "--editable", PROJECT])


def lock():
    """Resolve the requirements files anew, for every platform and with hashes, without an index's address in them."""
    for name, (oldest, options) in LOCKS.items():
        say(f"resolving tests/{name}.txt")
        written = ["--universal", "--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate", "--upgrade"]
        files = ["pyproject.toml", f"tests/{name}.in", "--output-file", f"tests/{name}.txt"]
        run([uv(), "pip", "compile", "--quiet", "--python-version", oldest, *written, *options, *files], cwd=PROJECT)


def _hash_of(files):
    made_from = hashlib.sha256(os.fsencode(PROJECT))
    for file in files:
        made_from.update(file.read_bytes())
    return made_from.hexdigest()


@contextlib.contextmanager
def _one_at_a_time():
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="environments to make")
    parser.add_argument("--list", action="store_true", help="list the environments and end")
    parser.add_argument("--lock", action="store_true", help="resolve tests/requirements*.txt anew and end")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(KINDS))
    if unknown:
        parser.error(f"no environment is named {', '.join(unknown)}; there are {', '.join(KINDS)}")
    if arguments.list:
        for name, (purpose, version, _) in KINDS.items():
            made = "made" if (ENVIRONMENTS / name / "made-from").exists() else "not made"
            print(f"{name:14} Python {version:6} {made:10} {purpose}")
        return 0
    try:
        if arguments.lock:
            lock()
        elif not arguments.names:
            parser.error("name the environments to make, or see --list")
        for name in arguments.names:
            print(environment(name))
    except SetUpError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
