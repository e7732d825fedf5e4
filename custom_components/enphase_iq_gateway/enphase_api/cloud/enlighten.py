"""A session of Enlighten, Enphase's web site for owners: an alternative way to a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp

from ..exceptions import AuthenticationError
from ..http import parse_json
from .connection import Answer, Connection, second_factor_error
from .html import mentions_second_factor

ENLIGHTEN_HOST = "https://enlighten.enphaseenergy.com"

#: Enlighten answers 406 to programs whose name contains "HomeAssistant", as that of a lent session does.
_USER_AGENT = f"enphase_api aiohttp/{aiohttp.__version__}"


class Enlighten(Connection):
    """A sign-in to Enlighten. `session` is used and never closed; without it, see `SessionHolder`.

    Raises as `Connection` does.
    """

    def __init__(self, session: aiohttp.ClientSession | None = None, *, host: str = ENLIGHTEN_HOST) -> None:
        super().__init__(session, host, "Enlighten")

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        named = {"User-Agent": _USER_AGENT, **(headers or {})}
        return await super()._ask(method, path, cookies=cookies, headers=named, **options)

    async def authenticate(self, username: str, password: str) -> str:
        """Sign in and return the session's id, for `Authentication.get_token_from_enlighten_session_id`.

        Raises AuthenticationError if Enlighten rejects user name and password, MultiFactorError if the
        account asks for a second factor, CommunicationError or ResponseError if it is unavailable.
        """
        return (await self._authenticate(username, password))[1]

    async def _authenticate(self, username: str, password: str) -> tuple[Answer, str]:
        """Sign in, and return the answer and the session's id."""
        form = {"user[email]": username, "user[password]": password}
        answer = await self._ask("POST", "/login/login.json", data=form)
        if answer.status == 401:
            raise AuthenticationError("Enlighten rejected the user name and password")
        if answer.status != 200:
            raise answer.unknown_answer_error()
        given = parse_json(answer.body, answer.path, "Enlighten")
        session_id = given.get("session_id") if isinstance(given, dict) else None
        if isinstance(session_id, str) and session_id:
            return answer, session_id
        if mentions_second_factor(answer.body.decode("utf-8", errors="replace")):
            raise second_factor_error()
        raise answer.unknown_answer_error()
