"""Newer servers than this system's, unpacked from Debian's later suites, for tests to start.

    export PYTHONPATH=scripts
    python3 -m development.servers             unpack them unless they are there, and print where each is

They are in .python/ in the project's folder, and stay as they are until that folder is removed. Standard
library only, and no syntax newer than Python 3.9.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .debian import is_debian, relink, unpack
from .steps import TOOLS, SetUpError, one_at_a_time, say
from .toolchain import find_patchelf

ERLANG = Path("usr") / "lib" / "erlang"


@dataclass(frozen=True)
class Servers:
    """Servers of one Debian suite: packages, and the programs that need its libraries, as patterns."""

    name: str
    suite: str
    packages: tuple[str, ...]
    programs: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where they are unpacked."""
        return TOOLS / f"servers-{self.suite}"


#: What `scripts/test --servers NAME` runs the tests on.
KINDS = {
    "newest": Servers(
        "RabbitMQ and MariaDB",
        "forky",
        ("rabbitmq-server", "mariadb-server", "libstdc++6"),
        (
            f"{ERLANG}/erts-*/bin/*",
            f"{ERLANG}/lib/*/priv/bin/*",
            "usr/sbin/mariadbd",
            "usr/bin/my_print_defaults",
            "usr/bin/resolveip",
        ),
    ),
    "mysql": Servers("MySQL", "sid", ("mysql-server-core", "libstdc++6"), ("usr/sbin/mysqld",)),
}


def find_servers(kind: str) -> Path:
    """Unpack these servers unless they are there, and return their folder.

    Raises SetUpError, with the reason, if they cannot be had here.
    """
    servers = KINDS[kind]
    if not is_debian():
        raise SetUpError(f"{servers.name}: Debian's packages are needed, and this system is not Debian")
    with one_at_a_time():
        return _unpack(servers)


def find_rabbitmq() -> dict[str, str]:
    """Return the variables with which tests.services finds RabbitMQ: none if it is installed on this system.

    Raises SetUpError if it is neither installed nor to be had here.
    """
    if shutil.which(
        "rabbitmq-server", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    ):
        return {}
    try:
        return {"ENPHASE_TEST_SERVERS": str(find_servers("newest"))}
    except SetUpError as error:
        raise SetUpError(f"RabbitMQ is missing: install rabbitmq-server with its Erlang ({error})") from error


def _unpack(servers: Servers) -> Path:
    folder = servers.folder.resolve()
    stamp = folder / "unpacked"
    # The programs know where their libraries are: a folder that was moved needs new ones.
    if stamp.exists() and stamp.read_text() == str(folder):
        return folder
    say(f"unpacking {servers.name} of Debian's suite {servers.suite} into .python/{folder.name}")
    unpack(servers.suite, [*servers.packages], folder)
    found = {path.resolve() for pattern in servers.programs for path in folder.glob(pattern)}
    relink([path for path in sorted(found) if _is_program(path)], folder, find_patchelf())
    for script in folder.glob(f"{ERLANG}/**/bin/erl"):
        script.write_text(script.read_text().replace(f"=/{ERLANG}", f"={folder / ERLANG}"))
    stamp.write_text(str(folder))
    return folder


def _is_program(path: Path) -> bool:
    """Whether a file is a compiled program that is linked to libraries."""
    content = path.read_bytes()
    return content.startswith(b"\x7fELF") and b"/ld-linux" in content


def main() -> int:
    """Unpack all of them and return the exit status."""
    try:
        for kind in KINDS:
            print(f"{kind}: {find_servers(kind)}")
    except SetUpError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
