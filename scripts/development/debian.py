"""Debian packages: unpacked inside the project's folder, or installed for the tests.

Unpacking needs no root and changes nothing of the system; it is how Python comes to a machine that reaches
only its package mirrors. Standard library only, and no syntax newer than Python 3.9.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .steps import TOOLS, SetUpError, Words, run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Asked by every package that would start a service; exit status 101 means no.
POLICY = Path("/usr/sbin/policy-rc.d")


def is_debian() -> bool:
    """Return whether this system has Debian's package tools."""
    return shutil.which("apt-get") is not None and shutil.which("dpkg") is not None


def unpack_python(version: str, suite: str, patchelf: Words) -> Path:
    """Unpack Debian's Python of that version ("3.14") into .python/ and return its interpreter's path."""
    root = TOOLS / f"debian-{version}"
    unpack(suite, [f"python{version}-venv", f"python{version}-dev", "libstdc++6"], root)
    interpreter = root / "usr" / "bin" / f"python{version}"
    relink([interpreter], root, patchelf)
    # Debian's pyconfig.h only includes the machine's own, which a compiler looks for in the system's folders.
    include = root / "usr" / "include"
    own = next(include.glob(f"*/python{version}/pyconfig.h"))
    shutil.copyfile(own, include / f"python{version}" / "pyconfig.h")
    return interpreter


def relink(programs: list[Path], root: Path, patchelf: Words) -> None:
    """Let unpacked programs run with the libraries that were unpacked beside them.

    They are built for a newer C library than this machine may have.
    """
    libraries = next(root.glob("usr/lib/*/libc.so.6")).parent
    loader = next(path for path in sorted(root.glob("**/ld-linux*.so.*")) if path.is_file())
    # RPATH, unlike RUNPATH, holds for the modules that a program loads, too.
    folders = ":".join(map(str, (libraries, root / "usr" / "lib" / "mysql" / "private")))
    for program in programs:
        run([*patchelf, "--set-interpreter", loader, "--force-rpath", "--set-rpath", folders, program])


def unpack(suite: str, packages: list[str], root: Path) -> None:
    """Unpack packages of a Debian suite, and their dependencies, below a folder that is recreated."""
    scratch = TOOLS / "apt"
    for folder in (root, scratch):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (root, scratch / "lists" / "partial", scratch / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True)
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    (scratch / "sources.list").write_text(f"deb {signed}{_archive()} {suite} main\n")
    settings = {
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::Lists": scratch / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": scratch / "cache",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "1",
    }
    apt: Words = [
        "apt-get",
        *(word for name, value in settings.items() for word in ("-o", f"{name}={value}")),
    ]
    run([*apt, "update"])
    run([*apt, "-y", "--no-install-recommends", "--download-only", "install", *packages])
    for package in sorted((scratch / "cache" / "archives").glob("*.deb")):
        run(["dpkg", "-x", package, root])
    shutil.rmtree(scratch)


def _archive() -> str:
    """Return the address of the Debian archive that this machine's own apt uses."""
    answer = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"])
    for address in answer.splitlines():
        if address.strip().rstrip("/").endswith("/debian"):
            return address.strip()
    raise SetUpError("this machine's apt sources name no Debian archive that packages could be taken from")


def install(packages: list[str]) -> None:
    """Install packages on this system, as root, without starting their services."""
    with _no_service_starts():
        run(["apt-get", "update"])
        run(
            ["apt-get", "-y", "--no-install-recommends", "install", *packages],
            DEBIAN_FRONTEND="noninteractive",
        )


@contextmanager
def _no_service_starts() -> Iterator[None]:
    if POLICY.exists():  # somebody has decided already, as in Debian's containers
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
