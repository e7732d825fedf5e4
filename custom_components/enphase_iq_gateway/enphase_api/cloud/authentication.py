"""Entrez, Enphase's sign-in: from an account to a gateway's token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from ..exceptions import (
    AuthenticationError,
    InvalidAnswerError,
    MultiFactorError,
    ResponseError,
    TokenError,
)
from ..http import SessionHolder, asking, forget_cookie, parse_host, parse_json, read_body, refused
from ..oauth import CLIENT_ID, REDIRECT_URI, challenge_of, new_verifier
from .page import Page, mentions_second_factor
from .token import ENTREZ_PUBLIC_KEY, UNCOMMISSIONED, Token, has_form_of_token

AUTHENTICATION_HOST = "https://entrez.enphaseenergy.com"

#: Seconds.
_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=15)
_SESSION_COOKIE = "SESSION"

_SIGN_IN_REFUSED = "Entrez refused the user name and password."


@dataclass(frozen=True, slots=True, repr=False)
class _Answer:
    """One answer of Entrez, as far as it matters here."""

    path: str
    status: int
    #: Where a redirect points to.
    location: URL | None
    cookies: Mapping[str, str]
    body: bytes


class Authentication(SessionHolder):
    """A sign-in to Entrez. `session` is used and never closed; without it see `SessionHolder`.

    What Entrez knows the sign-in by stays in this object: no cookie is left in the session. Raises
    InvalidHostError for a `host` that is none (plain http is for a host on this machine only).
    """

    def __init__(
        self, session: aiohttp.ClientSession | None = None, *, host: str = AUTHENTICATION_HOST
    ) -> None:
        super().__init__(session)
        self._url = parse_host(host, plain_on_loopback=True)
        self._session_id: str | None = None

    @property
    def host(self) -> str:
        """Entrez's address."""
        return str(self._url).rstrip("/")

    async def authenticate(self, username: str, password: str) -> bool:
        """Sign in; False where Entrez refuses user name and password.

        Raises MultiFactorError where the account asks for a second factor, CommunicationError or
        ResponseError where Entrez is out of order.
        """
        self._session_id = None
        answer = await self._post("/login", {"username": username, "password": password})
        if _is_refused(answer):
            return False
        session_id = answer.cookies.get(_SESSION_COOKIE)
        if not session_id or not (answer.status == 200 or self._is_within(answer)):
            raise _not_understood(answer)
        self._session_id = session_id
        return True

    @staticmethod
    async def authenticate_oauth(
        username: str,
        password: str,
        gateway_serial_number: str | int = UNCOMMISSIONED,
        *,
        host: str = AUTHENTICATION_HOST,
        session: aiohttp.ClientSession | None = None,
    ) -> tuple[str, str]:
        """Give a code and its verifier, for `get_token_from_oauth` or `Gateway.login_oauth_code`.

        Raises AuthenticationError where Entrez refuses user name and password, MultiFactorError where the
        account asks for a second factor, CommunicationError or ResponseError where Entrez is out of order.
        """
        verifier = new_verifier()
        form = {
            "username": username,
            "password": password,
            "codeChallenge": challenge_of(verifier),
            "redirectUri": REDIRECT_URI,
            "client": "envoy-ui",
            "clientId": "envoy-ui-client",
            "authFlow": "oauth",
            "serialNum": str(gateway_serial_number),
        }
        answer = await Authentication(session, host=host)._post("/login", form)
        code = answer.location.query.get("code") if answer.location is not None else None
        if code:
            return code, verifier
        if _is_refused(answer):
            raise AuthenticationError(_SIGN_IN_REFUSED)
        raise _not_understood(answer)

    @staticmethod
    async def get_token_from_oauth(
        code: str,
        code_verifier: str,
        *,
        host: str = AUTHENTICATION_HOST,
        session: aiohttp.ClientSession | None = None,
    ) -> dict[str, Any]:
        """Give Entrez's answer for a code of `authenticate_oauth`: the token is its `access_token`.

        Raises AuthenticationError where Entrez refuses the code, which is good for once and for minutes only;
        CommunicationError or ResponseError where Entrez is out of order.
        """
        form = {
            "client_id": CLIENT_ID,
            "grant_type": "authorization_code",
            "redirect_uri": REDIRECT_URI,
            "code": code,
            "code_verifier": code_verifier,
        }
        answer = await Authentication(session, host=host)._post("/oauth/token", form)
        given = parse_json(answer.body, answer.path, "Entrez") if answer.status == 200 else None
        if isinstance(given, dict) and isinstance(given.get("access_token"), str):
            return given
        if answer.status in (200, 400, 401, 403):
            raise AuthenticationError("Entrez gave no token for this code. Sign in again for a new code.")
        raise _not_understood(answer)

    async def get_site(self, site_name: str) -> Any:
        """Give the sites of the account whose name holds `site_name`, as Entrez's JSON.

        A list of objects with `id`, `name` and `serial_numbers` (of the gateways). Raises AuthenticationError
        where nobody is signed in (any more), CommunicationError or ResponseError where Entrez is out of
        order.
        """
        answer = await self._signed_in("GET", f"/site/{quote(site_name, safe='')}")
        return parse_json(answer.body, answer.path, "Entrez")

    async def get_token_for_commissioned_gateway(self, gateway_serial_number: str | int) -> str:
        """Give a token for a gateway that belongs to a site.

        An owner's is good for a year, an installer's for 12 hours.
        Raises TokenError where Entrez gives none, AuthenticationError where nobody is signed in (any more),
        CommunicationError or ResponseError where Entrez is out of order.
        """
        serial_number = str(gateway_serial_number)
        return await self._token({"serialNum": serial_number}, f"gateway {serial_number}")

    async def get_token_for_uncommissioned_gateway(self) -> str:
        """Give a token for gateways that no site has yet.

        Raises as `get_token_for_commissioned_gateway` does.
        """
        return await self._token({"uncommissioned": "true"}, "a gateway that is not commissioned")

    async def get_token_from_enlighten_session_id(
        self, enlighten_session_id: str, gateway_serial_number: str | int, username: str
    ) -> str:
        """Give a token for a session of the Enlighten web site; needs no `authenticate`.

        Raises TokenError where Entrez gives none, CommunicationError or ResponseError where it is out of
        order.
        """
        body = {
            "session_id": enlighten_session_id,
            "serial_num": str(gateway_serial_number),
            "username": username,
        }
        answer = await self._ask("POST", "/tokens", json=body)
        token = answer.body.decode("utf-8", errors="replace").strip()
        # 400 and 403 are what it was seen to answer in 2025 and 2026.
        if answer.status in (400, 401, 403) or (answer.status == 200 and not has_form_of_token(token)):
            raise TokenError(
                f"Entrez gave no token for gateway {gateway_serial_number} and this Enlighten session. "
                "Sign in to Entrez instead, with authenticate."
            )
        if answer.status != 200:
            raise _not_understood(answer)
        return token

    @staticmethod
    def check_token_valid(
        token: str,
        gateway_serial_number: str | int | None = None,
        verify_signature: bool = False,
        *,
        public_key: str = ENTREZ_PUBLIC_KEY,
    ) -> bool:
        """Tell whether a token can be used: `Token.parse` tells why not, and what the options mean."""
        try:
            return Token.parse(token, gateway_serial_number, verify_signature, public_key).problem is None
        except TokenError:
            return False

    async def logout(self) -> bool:
        """Sign out; False where nobody was signed in, or Entrez did not confirm it.

        Raises CommunicationError where Entrez does not answer; the sign-in is forgotten here all the same.
        """
        if self._session_id is None:
            return False
        cookies = self._cookies()
        self._session_id = None
        answer = await self._ask("POST", "/logout", cookies=cookies)
        return answer.status < 400

    async def _token(self, form: Mapping[str, str], what_for: str) -> str:
        answer = await self._signed_in("POST", "/entrez_tokens", data=form)
        token = Page(answer.body).token
        if token is None or not has_form_of_token(token):
            raise TokenError(
                f"Entrez gave no token for {what_for}. Check the serial number and that the gateway is this "
                f"account's, or make a token on {AUTHENTICATION_HOST} and paste it."
            )
        return token

    async def _signed_in(self, method: str, path: str, **options: Any) -> _Answer:
        """Ask for something that only somebody signed in is given."""
        answer = await self._ask(method, path, cookies=self._cookies(), **options)
        if answer.status == 403 or _is_refused(answer):
            self._session_id = None
            raise AuthenticationError("The sign-in to Entrez has ended. Call authenticate again.")
        if answer.status != 200:
            raise _not_understood(answer)
        return answer

    def _cookies(self) -> dict[str, str]:
        if self._session_id is None:
            raise AuthenticationError("Nobody is signed in to Entrez. Call authenticate first.")
        return {_SESSION_COOKIE: self._session_id}

    def _is_within(self, answer: _Answer) -> bool:
        """Tell whether an answer leads on within Entrez."""
        return answer.location is not None and self._url.join(answer.location).origin() == self._url

    async def _post(self, path: str, form: Mapping[str, str]) -> _Answer:
        return await self._ask("POST", path, data=form)

    async def _ask(self, method: str, path: str, **options: Any) -> _Answer:
        """Send one request to Entrez; every request of this client goes through here."""
        url = URL(f"{self.host}{path}", encoded=True)
        with asking(f"Entrez ({self._url.host})", path):
            async with (
                self._session() as session,
                # No redirect is followed: it would carry the secret to where it points. Any form is accepted:
                # Entrez answers with pages, and with 406 where a client wants something else.
                session.request(method, url, allow_redirects=False, timeout=_TIMEOUT, **options) as response,
            ):
                forget_cookie(session, response, _SESSION_COOKIE)
                return _Answer(
                    path=path,
                    status=response.status,
                    location=_location(response),
                    cookies={name: morsel.value for name, morsel in response.cookies.items()},
                    body=await read_body(response, path),
                )


def _location(response: aiohttp.ClientResponse) -> URL | None:
    """Give where a redirect points to, where it is one and can be read."""
    text = response.headers.get("Location")
    if text is None or not 300 <= response.status < 400:
        return None
    try:
        return URL(text)
    except ValueError:
        return None


def _is_refused(answer: _Answer) -> bool:
    """Tell whether an answer wants somebody to sign in (again).

    A wrong password is answered with the form again, status 200 and a SESSION cookie (recorded in 2025), or
    with status 401 (2023). Raises MultiFactorError where a second factor is wanted.
    """
    page = Page(answer.body)
    if answer.status >= 500 or (page.offers_tokens and not page.asks_password):
        return False
    where = "" if answer.location is None else answer.location.path_qs
    if page.asks_second_factor or any(map(mentions_second_factor, (where, *answer.cookies))):
        raise MultiFactorError(
            "This account asks for a second factor, which no program can give. Sign in to "
            f"{AUTHENTICATION_HOST} in a browser, make a token there and paste it."
        )
    return answer.status == 401 or page.asks_password or "login" in where or "error" in where


def _not_understood(answer: _Answer) -> ResponseError:
    if answer.status >= 400:
        return refused("Entrez", answer.path, answer.status)
    return InvalidAnswerError(
        f"Entrez answered {answer.path} with a page that is not known. Try again later, or make a token on "
        f"{AUTHENTICATION_HOST} and paste it.",
        path=answer.path,
        status=answer.status,
    )
