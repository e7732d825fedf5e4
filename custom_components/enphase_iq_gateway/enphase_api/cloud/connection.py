"""The connection to Entrez or Enlighten: requests, and the state of the sign-in in the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from ..exceptions import InvalidAnswerError, MultiFactorError, ResponseError
from ..http import (
    SessionHolder,
    cookie_header,
    cookies_of,
    parse_host,
    read_body,
    status_error,
    translate_errors,
)
from .html import EntrezPage, mentions_second_factor

AUTHENTICATION_HOST = "https://entrez.enphaseenergy.com"

#: The session cookie of Entrez.
SESSION_COOKIE = "SESSION"

#: Bytes; far more than any page of Entrez has.
_MAX_PAGE = 256_000

#: Seconds.
_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=15)


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """An answer of Entrez or Enlighten."""

    #: "Entrez" or "Enlighten".
    server: str
    path: str
    status: int
    #: The target of a redirect.
    location: URL | None
    cookies: Mapping[str, str]
    body: bytes
    #: The body, parsed as a page.
    page: EntrezPage

    @property
    def is_refused(self) -> bool:
        """Whether a sign-in is required (again).

        The answer to a wrong password is the form again, with status 200 and a SESSION cookie (recorded in
        2025), or status 401 (2023). Raises MultiFactorError if a second factor is required.
        """
        page = self.page
        if self.status >= 500 or (page.offers_tokens and not page.asks_password):
            return False
        where = "" if self.location is None else self.location.path_qs
        if page.asks_second_factor or any(map(mentions_second_factor, (where, *self.cookies))):
            raise second_factor_error()
        return self.status == 401 or page.asks_password or "login" in where or "error" in where

    def unknown_answer_error(self) -> ResponseError:
        """Return the error for an unknown answer."""
        if self.status >= 400:
            return status_error(self.server, self.path, self.status)
        return InvalidAnswerError(
            f"{self.server} answered {self.path} with an unknown page: try again later, or create a token on "
            f"{AUTHENTICATION_HOST} and paste it",
            path=self.path,
            status=self.status,
        )


def second_factor_error() -> MultiFactorError:
    """Return the error for an account that requires a second factor."""
    return MultiFactorError(
        "this account requires a second factor, which only a browser can provide: sign in to "
        f"{AUTHENTICATION_HOST}, create a token there and paste it"
    )


class Connection(SessionHolder):
    """Send requests to Entrez, or to another host; no cookie is stored in the session.

    `server` is its name in errors. Raises InvalidHostError for an invalid `host` (plain http is
    allowed for this machine only).
    """

    def __init__(self, session: aiohttp.ClientSession | None, host: str, server: str = "Entrez") -> None:
        super().__init__(session)
        self._url = parse_host(host, plain_on_loopback=True)
        self._server = server

    @property
    def host(self) -> str:
        """The address."""
        return str(self._url).rstrip("/")

    def _is_within(self, answer: Answer) -> bool:
        """Whether an answer redirects to the same host."""
        return answer.location is not None and self._url.join(answer.location).origin() == self._url

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        shown: str | None = None,
        **options: Any,
    ) -> Answer:
        """Send a request; all requests of this client are sent here.

        Errors name the path that is `shown`, for a `path` with numbers of the user.
        """
        url = URL(f"{self.host}{path}", encoded=True)
        named = path if shown is None else shown
        with translate_errors(f"{self._server} ({self._url.host})", named):
            async with (
                self._session() as session,
                # Redirects are not followed: they would send the secret to another host. There is no Accept
                # header: Entrez answers with pages, and with 406 if a client requests another type.
                session.request(
                    method,
                    url,
                    headers={**cookie_header(cookies or {}), **(headers or {})},
                    allow_redirects=False,
                    timeout=_TIMEOUT,
                    **options,
                ) as response,
            ):
                body = await read_body(response, named, _MAX_PAGE)
                return Answer(
                    server=self._server,
                    path=named,
                    status=response.status,
                    location=_location(response),
                    cookies=cookies_of(response),
                    body=body,
                    page=await asyncio.to_thread(EntrezPage, body),
                )


def _location(response: aiohttp.ClientResponse) -> URL | None:
    """Return the target of a redirect; None if it is not one, or invalid."""
    text = response.headers.get("Location")
    if text is None or not 300 <= response.status < 400:
        return None
    try:
        return URL(text)
    except ValueError:
        return None
