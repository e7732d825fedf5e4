"""Connections to MariaDB or MySQL by the driver aiomysql, made safe where it is not."""

from __future__ import annotations

import ssl
from typing import Any

import aiomysql  # type: ignore[import-untyped]
from aiomysql.connection import Connection  # type: ignore[import-untyped]
from pymysql.constants import CLIENT  # type: ignore[import-untyped]
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from enphase_api.json_values import printable

from .address import extract_tls
from .errors import StorageError

#: The supported authentication plugins. The driver has none for MariaDB's ed25519, parsec, gssapi and pam.
_PLUGINS = "mysql_native_password, caching_sha2_password or sha256_password"

#: Error numbers: authentication plugin not supported by the driver; access denied.
_UNKNOWN_PLUGIN, _DENIED = 2059, 1045


def create_engine(url: URL, database: str) -> AsyncEngine:
    """Return the engine for a server; `database` names the database in messages."""
    url, context = extract_tls(url)
    # Without strict mode a server truncates invalid values. With REPEATABLE READ, the INSERT ... SELECT of a
    # rollup would lock the gaps between readings.
    arguments: dict[str, Any] = {
        "connect_timeout": 10,
        "init_command": "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
    }
    if context is not None:
        arguments["ssl"] = context
    if url.password:
        # The driver encodes it as Latin-1, but passwords are set in UTF-8.
        arguments["password"] = url.password.encode().decode("latin-1")

    async def connect(**options: Any) -> Connection:
        # SQLAlchemy sets it; the server would count rows that exist already as inserted.
        options["client_flag"] &= ~CLIENT.FOUND_ROWS
        connection = _Connection(database, context, **options)
        try:
            await connection._connect()
        except aiomysql.OperationalError as error:
            if connection.wants_tls(error):
                raise StorageError(
                    f"{database}: the server refuses user name or password, or requires TLS for this user: "
                    "add ?ssl_ca=FILE to database_url, with the certificate of the server"
                ) from error
            raise
        return connection

    return create_async_engine(
        url.update_query_dict({"charset": "utf8mb4"}),
        connect_args={**arguments, "async_creator_fn": connect},
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        pool_pre_ping=True,
        # Each transaction has ended before. Another rollback would take time, and log a traceback if the
        # connection is lost just then.
        pool_reset_on_return=None,
        pool_recycle=3600,
    )


class _Connection(Connection):  # type: ignore[misc]
    """A connection that refuses to continue without TLS where it is set, and to reveal the password."""

    def __init__(self, database: str, context: ssl.SSLContext | None, **options: Any) -> None:
        super().__init__(**options)
        # Until the server has sent its capabilities.
        self.server_capabilities = 0
        self._display_name = database
        self._context = context

    @property
    def _is_private(self) -> bool:
        """Whether the other end is verified to be the server."""
        return self._unix_socket is not None or (
            self._context is not None and self._context.verify_mode is ssl.CERT_REQUIRED
        )

    def wants_tls(self, error: Exception) -> bool:
        """Whether a server that denied access may require TLS: servers do not report that."""
        offers = bool(self.server_capabilities & CLIENT.SSL)
        return self._context is None and offers and error.args[:1] == (_DENIED,)

    async def _get_server_information(self) -> None:
        await super()._get_server_information()
        # The driver would continue without TLS, which an attacker in between could cause.
        if self._context is not None and not self.server_capabilities & CLIENT.SSL:
            raise StorageError(
                f"{self._display_name}: the server offers no TLS, which database_url requires by ssl or "
                "ssl_ca: configure its certificate"
            )

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
        if plugin_name == b"mysql_clear_password" and not self._is_private:
            # The driver would send the password in clear text to any server that asks.
            raise StorageError(
                f"{self._display_name}: the server asks for the password in clear text: verify the server by "
                f"ssl_ca, or identify this user via {_PLUGINS}"
            )
        try:
            return await super()._process_auth(plugin_name, auth_packet)
        except aiomysql.OperationalError as error:
            if error.args[:1] != (_UNKNOWN_PLUGIN,):
                raise
            name = printable(plugin_name.decode(errors="replace"))
            raise StorageError(
                f"{self._display_name}: this user is identified via {name}, which is not supported: "
                f"identify it via {_PLUGINS}"
            ) from None
