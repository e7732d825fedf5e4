"""A private MariaDB, or MySQL, for tests, started from the installed programs in a temporary folder.

`ENPHASE_TEST_DATABASE_URL` sets a running server instead, whose user may create and drop databases; tests
that kill the server are then skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from . import SEARCH_PATH, UNPACKED, find_free_port, find_unpacked, skip_unavailable
from .server import Server

_INSTALLATION = 60


class MariaDB(Server):
    """A private server in a temporary folder."""

    own_options: tuple[str, ...] = ("--skip-name-resolve", "--innodb-log-file-size=32M")

    def __init__(self, folder: Path, program: str, options: tuple[str, ...] = ()) -> None:
        port = find_free_port()
        command = [
            program,
            "--no-defaults",
            f"--datadir={folder / 'data'}",
            # In a shared folder, a server that starts removes the temporary tables of the others.
            f"--tmpdir={folder}",
            f"--socket={folder / 'socket'}",
            f"--pid-file={folder / 'pid'}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            # A commit is on disk when it returns (MariaDB's default).
            "--innodb-flush-log-at-trx-commit=1",
            *(("--user=root",) if os.geteuid() == 0 else ()),
            *self.own_options,
            *options,
        ]
        if program.startswith(f"{UNPACKED}/"):
            command.append(f"--basedir={UNPACKED / 'usr'}")
        super().__init__(folder, port, command)

    @property
    def url(self) -> URL:
        """The server's URL, without a database."""
        return URL.create("mysql+aiomysql", "root", host="127.0.0.1", port=self.port)

    def install(self) -> None:
        """Create the system tables."""
        unpacked = find_unpacked("mariadb-install-db")
        program = unpacked or shutil.which("mariadb-install-db", path=SEARCH_PATH)
        if program is None:
            skip_unavailable("mariadb-install-db")
        self._run_installer(
            program,
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *([f"--basedir={UNPACKED / 'usr'}"] if unpacked else []),
        )

    def _run_installer(self, *command: str) -> None:
        user = ["--user=root"] if os.geteuid() == 0 else []
        subprocess.run(
            [*command, f"--datadir={self.folder / 'data'}", f"--tmpdir={self.folder}", *user],
            check=True,
            capture_output=True,
            timeout=_INSTALLATION,
        )

    def answers(self) -> bool:
        """Whether the server runs a statement."""
        engine = create_engine(self.url.set(drivername="mysql+pymysql"))
        try:
            with engine.connect() as connection:
                version = str(connection.scalar(text("SELECT VERSION()")))
        except OperationalError:
            return False
        finally:
            engine.dispose()
        self.version = f"{type(self).__name__} {version.partition('-')[0]}"
        return True


class MySQL(MariaDB):
    """A private MySQL; the tests' fixtures still call it MariaDB."""

    # Without name resolution, it would not take 127.0.0.1 for root's host.
    own_options = ("--mysqlx=OFF", "--secure-file-priv=NULL", "--skip-log-bin")

    def install(self) -> None:
        """Create the system tables."""
        self._run_installer(*self._command[:1], "--no-defaults", "--initialize-insecure")


def execute(url: URL, statement: str) -> None:
    """Run one statement, synchronously."""
    engine = create_engine(url.set(drivername="mysql+pymysql"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


@contextmanager
def create_database(server: URL) -> Iterator[URL]:
    """Yield an empty database; drop it at the end if the server still runs."""
    name = f"enphase_test_{uuid.uuid4().hex[:12]}"
    execute(server, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield server.set(database=name)
    with suppress(OperationalError):
        execute(server, f"DROP DATABASE IF EXISTS {name}")


@contextmanager
def running(folder: Path, options: tuple[str, ...] = ()) -> Iterator[MariaDB]:
    """Yield a server with its data in an empty folder, with these additional options."""
    program = (
        find_unpacked("mariadbd") or find_unpacked("mysqld") or shutil.which("mariadbd", path=SEARCH_PATH)
    )
    if program is None:
        skip_unavailable("mariadbd")
    kind = MySQL if Path(program).name == "mysqld" else MariaDB
    if kind is MySQL and options:
        pytest.skip("MySQL does not have these options of MariaDB")
    server = kind(folder, program, options)
    server.install()
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def private_mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """Yield a server that may be killed; one for all tests, see `mariadb`."""
    if os.environ.get("ENPHASE_TEST_DATABASE_URL"):
        pytest.skip("the server of ENPHASE_TEST_DATABASE_URL is not for tests to kill")
    with running(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture
def mariadb(private_mariadb: MariaDB) -> Iterator[MariaDB]:
    """Yield a private, running server; the test may kill or pause it."""
    if not private_mariadb.is_running:
        private_mariadb.start()
    yield private_mariadb
    private_mariadb.resume()


@pytest.fixture
def mariadb_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the URL of an empty database, on the private server or the configured one."""
    configured = os.environ.get("ENPHASE_TEST_DATABASE_URL")
    server = make_url(configured) if configured else request.getfixturevalue("mariadb").url
    with create_database(server) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.services())])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database; a test with this fixture runs on SQLite and on MariaDB."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'enphase.db'}"
    return str(request.getfixturevalue("mariadb_url"))
