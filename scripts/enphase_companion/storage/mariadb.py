"""Connections to MariaDB or MySQL by the driver aiomysql, and what it leaves unsaid or unsafe."""

from __future__ import annotations

import ssl
from typing import Any

import aiomysql  # type: ignore[import-untyped]
from aiomysql.connection import Connection  # type: ignore[import-untyped]
from pymysql.constants import CLIENT  # type: ignore[import-untyped]
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from enphase_api.json_values import printable

from .address import tls
from .errors import StorageError

#: How a user may prove who he is; MariaDB's ed25519, parsec, gssapi and pam are not among it.
_PLUGINS = "mysql_native_password, caching_sha2_password or sha256_password"

#: The driver knows no way to do what the server asks of this user; access denied.
_UNKNOWN_PLUGIN, _DENIED = 2059, 1045


def engine(url: URL, place: str) -> AsyncEngine:
    """Return the way to a server; `place` names the database in messages."""
    url, context = tls(url)
    # Without strict mode a server would store what it can of a wrong value. What a rollup takes from
    # readings locks no gaps between them as it would in REPEATABLE READ.
    arguments: dict[str, Any] = {
        "connect_timeout": 10,
        "init_command": "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
    }
    if context is not None:
        arguments["ssl"] = context
    if url.password:
        # The driver encodes it as Latin-1; the server knows the bytes of UTF-8, in which passwords are set.
        arguments["password"] = url.password.encode().decode("latin-1")

    async def connect(**options: Any) -> Connection:
        connection = _Connection(place, context, **options)
        try:
            await connection._connect()
        except aiomysql.OperationalError as error:
            if connection.wants_tls(error):
                raise StorageError(
                    f"{place}: the server refuses user name or password, or this user must come encrypted: "
                    "add ?ssl_ca=FILE to database_url, with the certificate that the server shows"
                ) from error
            raise
        return connection

    return create_async_engine(
        url.update_query_dict({"charset": "utf8mb4"}),
        connect_args={**arguments, "async_creator_fn": connect},
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        pool_pre_ping=True,
        pool_recycle=3600,
    )


class _Connection(Connection):  # type: ignore[misc]
    """A connection that is encrypted where that was asked for, and gives no password away."""

    def __init__(self, place: str, context: ssl.SSLContext | None, **options: Any) -> None:
        super().__init__(**options)
        # Before the server has said what it can do.
        self.server_capabilities = 0
        self._place = place
        self._context = context

    @property
    def _is_private(self) -> bool:
        """Whether nobody else than the server that is meant can be at the other end."""
        return self._unix_socket is not None or (
            self._context is not None and self._context.verify_mode is ssl.CERT_REQUIRED
        )

    def wants_tls(self, error: Exception) -> bool:
        """Whether a refusal may be of a user who must come by TLS: servers do not say so."""
        offers = bool(self.server_capabilities & CLIENT.SSL)
        return self._context is None and offers and error.args[:1] == (_DENIED,)

    async def _get_server_information(self) -> None:
        await super()._get_server_information()
        # The driver would go on without: whoever stands in between could have it so.
        if self._context is not None and not self.server_capabilities & CLIENT.SSL:
            raise StorageError(
                f"{self._place}: the server offers no TLS, which ssl or ssl_ca in database_url wants: set up "
                "its certificate"
            )

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
        if plugin_name == b"mysql_clear_password" and not self._is_private:
            # The driver would send the password as it is to whoever asks.
            raise StorageError(
                f"{self._place}: the server asks for the password in clear, which only goes to one that "
                f"ssl_ca names; or let this user be identified via {_PLUGINS}"
            )
        try:
            return await super()._process_auth(plugin_name, auth_packet)
        except aiomysql.OperationalError as error:
            if error.args[:1] != (_UNKNOWN_PLUGIN,):
                raise
            name = printable(plugin_name.decode(errors="replace"))
            raise StorageError(
                f"{self._place}: this user is identified via {name}, which is not supported here: let him be "
                f"identified via {_PLUGINS}"
            ) from None
