"""Entrez, Enphase's sign-in: from an account to a gateway's token."""

from __future__ import annotations

import aiohttp

from ..http import SessionHolder, parse_host
from .token import ENTREZ_PUBLIC_KEY

AUTHENTICATION_HOST = "https://entrez.enphaseenergy.com"


class Authentication(SessionHolder):
    """A sign-in to Entrez. `session` is used and never closed; without it see `SessionHolder`."""

    def __init__(self, session: aiohttp.ClientSession | None = None, *, host: str = AUTHENTICATION_HOST) -> None:
        super().__init__(session)
        self._url = parse_host(host, plain_on_loopback=True)
        self._session_id: str | None = None
