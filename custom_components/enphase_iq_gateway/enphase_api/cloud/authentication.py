"""Entrez, Enphase's sign-in: from an account to a gateway's token."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp

from ..exceptions import (
    AuthenticationError,
    EnphaseError,
    InvalidAnswerError,
    MultiFactorError,
    TokenError,
    TokenReason,
)
from ..http import parse_json
from .connection import AUTHENTICATION_HOST, SESSION_COOKIE, Answer, Connection
from .enlighten import ENLIGHTEN_HOST, Enlighten
from .html import Form
from .token import ENTREZ_PUBLIC_KEY, UNCOMMISSIONED, Token, has_form_of_token

#: The gateway's own registration as an OAuth client of Entrez.
CLIENT_ID = "envoy-ui-1"
REDIRECT_URI = "https://envoy.local/auth/callback"

_SIGN_IN_REFUSED = "Entrez refused the user name and password."


class Authentication(Connection):
    """A sign-in to Entrez. `session` is used and never closed; without it see `SessionHolder`.

    What Entrez knows the sign-in by stays in this object: no cookie is left in the session. Another `host`
    than Entrez's, such as a simulated one, stands for Enlighten too. Raises InvalidHostError for a `host`
    that is invalid (plain http is for a host on this machine only).
    """

    def __init__(
        self, session: aiohttp.ClientSession | None = None, *, host: str = AUTHENTICATION_HOST
    ) -> None:
        super().__init__(session, host)
        self._is_signed_in = False
        #: What Entrez has set since the sign-in began.
        self._cookies: dict[str, str] = {}

    async def authenticate(self, username: str, password: str) -> bool:
        """Sign in; False where Entrez refuses user name and password.

        Raises MultiFactorError where the account asks for a second factor, CommunicationError or
        ResponseError where Entrez is out of order.
        """
        answer = await self._sign_in({"username": username, "password": password})
        if answer.is_refused:
            return False
        if SESSION_COOKIE not in self._cookies or not (answer.status == 200 or self._is_within(answer)):
            raise answer.not_understood()
        self._is_signed_in = True
        return True

    async def get_token(self, username: str, password: str, gateway_serial_number: str | int) -> str:
        """Sign in, by Entrez's form or else by Enlighten, and return a token for a gateway of a site.

        In 2025 and 2026 each of the two ways failed for some accounts while the other worked. Enlighten is
        not asked where Entrez refuses the password: a second attempt may lock the account.

        Raises AuthenticationError where user name and password are refused, MultiFactorError where the
        account asks for a second factor, TokenError where Entrez gives no token for this gateway,
        CommunicationError or ResponseError where Entrez is out of order and Enlighten cannot help.
        """
        accepted = False
        try:
            accepted = await self.authenticate(username, password)
            if accepted:
                return await self.get_token_for_commissioned_gateway(gateway_serial_number)
        except EnphaseError as error:
            failure = error
        else:
            raise AuthenticationError(_SIGN_IN_REFUSED)
        is_known = isinstance(failure, (TokenError, MultiFactorError))
        if accepted and isinstance(failure, AuthenticationError) and not is_known:
            # Entrez has just accepted this password: it is not the password that is wrong.
            failure = InvalidAnswerError(
                "Entrez accepted user name and password, and then asked for them again",
                path="/entrez_tokens",
                status=401,
            )
        try:
            return await self._token_by_enlighten(username, password, gateway_serial_number)
        except TokenError:
            raise failure from None
        except AuthenticationError as error:
            # The first judgement of the password, or none but this one.
            raise (failure if accepted or isinstance(failure, MultiFactorError) else error) from None
        except EnphaseError:
            raise failure from None

    @staticmethod
    async def authenticate_oauth(
        username: str,
        password: str,
        gateway_serial_number: str | int = UNCOMMISSIONED,
        *,
        host: str = AUTHENTICATION_HOST,
        session: aiohttp.ClientSession | None = None,
    ) -> tuple[str, str]:
        """Return a code and its verifier, for `get_token_from_oauth` or `Gateway.login_oauth_code`.

        Raises AuthenticationError where Entrez refuses user name and password, MultiFactorError where the
        account asks for a second factor, CommunicationError or ResponseError where Entrez is out of order.
        """
        verifier = _new_verifier()
        form = {
            "username": username,
            "password": password,
            "codeChallenge": _challenge_of(verifier),
            "redirectUri": REDIRECT_URI,
            "client": "envoy-ui",
            "clientId": "envoy-ui-client",
            "authFlow": "oauth",
            "serialNum": str(gateway_serial_number),
        }
        answer = await Authentication(session, host=host)._sign_in(form)
        code = answer.location.query.get("code") if answer.location is not None else None
        if code:
            return code, verifier
        if answer.is_refused:
            raise AuthenticationError(_SIGN_IN_REFUSED)
        raise answer.not_understood()

    @staticmethod
    async def get_token_from_oauth(
        code: str,
        code_verifier: str,
        *,
        host: str = AUTHENTICATION_HOST,
        session: aiohttp.ClientSession | None = None,
    ) -> dict[str, Any]:
        """Return Entrez's answer for a code of `authenticate_oauth`: the token is its `access_token`.

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
        answer = await Authentication(session, host=host)._ask("POST", "/oauth/token", data=form)
        given = parse_json(answer.body, answer.path, "Entrez") if answer.status == 200 else None
        if isinstance(given, dict) and isinstance(given.get("access_token"), str):
            return given
        if answer.status in (200, 400, 401, 403):
            raise AuthenticationError("Entrez gave no token for this code. Sign in again for a new code.")
        raise answer.not_understood()

    async def get_site(self, site_name: str) -> Any:
        """Return the sites of the account whose name holds `site_name`, as Entrez's JSON.

        A list of objects with `id`, `name` and `serial_numbers` (of the gateways). Raises AuthenticationError
        where nobody is signed in (any more), CommunicationError or ResponseError where Entrez is out of
        order.
        """
        answer = await self._signed_in("GET", f"/site/{quote(site_name, safe='')}")
        return parse_json(answer.body, answer.path, "Entrez")

    async def get_token_for_commissioned_gateway(self, gateway_serial_number: str | int) -> str:
        """Return a token for a gateway that belongs to a site.

        An owner's is good for a year, an installer's for 12 hours.
        Raises TokenError where Entrez gives none, AuthenticationError where nobody is signed in (any more),
        CommunicationError or ResponseError where Entrez is out of order.
        """
        serial_number = str(gateway_serial_number)
        return await self._token({"serialNum": serial_number}, f"gateway {serial_number}")

    async def get_token_for_uncommissioned_gateway(self) -> str:
        """Return a token for gateways that no site has yet.

        Raises as `get_token_for_commissioned_gateway` does.
        """
        return await self._token({"uncommissioned": "true"}, "a gateway that is not commissioned")

    async def get_token_from_enlighten_session_id(
        self, enlighten_session_id: str, gateway_serial_number: str | int, username: str
    ) -> str:
        """Return a token for a session of the Enlighten web site; needs no `authenticate`.

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
                "Sign in to Entrez instead, with authenticate.",
                TokenReason.NOT_GIVEN,
            )
        if answer.status != 200:
            raise answer.not_understood()
        return token

    @staticmethod
    def check_token_valid(
        token: str,
        gateway_serial_number: str | int | None = None,
        verify_signature: bool = False,
        *,
        public_key: str = ENTREZ_PUBLIC_KEY,
    ) -> bool:
        """Return whether a token can be used: `Token.parse` has the reasons and the options."""
        try:
            return Token.parse(token, gateway_serial_number, verify_signature, public_key).problem is None
        except TokenError:
            return False

    async def logout(self) -> bool:
        """Sign out; False where nobody was signed in, or Entrez did not confirm it.

        Raises CommunicationError where Entrez does not answer; the sign-in is forgotten here all the same.
        """
        if not self._is_signed_in:
            return False
        self._is_signed_in = False
        answer = await self._ask_with_cookies("POST", "/logout")
        return answer.status < 400

    async def _sign_in(self, form: Mapping[str, str]) -> Answer:
        """Send the form of the login page, as a browser does that has opened the page before."""
        self._is_signed_in = False
        self._cookies.clear()
        hidden = await self._hidden_fields("/login_main_page", lambda each: each.asks_password)
        return await self._ask_with_cookies("POST", "/login", data={**hidden, **form})

    async def _token(self, form: Mapping[str, str], what_for: str) -> str:
        self._require_sign_in()
        hidden = await self._hidden_fields(
            "/entrez_tokens", lambda each: each.action.endswith("/entrez_tokens")
        )
        answer = await self._signed_in("POST", "/entrez_tokens", data={**hidden, **form})
        token = answer.page.token
        if token is None or not has_form_of_token(token):
            raise TokenError(
                f"Entrez gave no token for {what_for}. Check the serial number and that the gateway is this "
                f"account's, or make a token on {AUTHENTICATION_HOST} and paste it.",
                TokenReason.NOT_GIVEN,
            )
        return token

    async def _token_by_enlighten(
        self, username: str, password: str, gateway_serial_number: str | int
    ) -> str:
        host = ENLIGHTEN_HOST if self.host == AUTHENTICATION_HOST else self.host
        async with self._session() as session:
            session_id = await Enlighten(session, host=host).authenticate(username, password)
            return await self.get_token_from_enlighten_session_id(session_id, gateway_serial_number, username)

    async def _hidden_fields(self, path: str, is_wanted: Callable[[Form], bool]) -> dict[str, str]:
        """Return what a browser sends along unseen with a form of this page; nothing without such a form.

        Entrez may begin to refuse a form that comes without its `_csrf`.
        """
        answer = await self._ask_with_cookies("GET", path)
        forms = answer.page.forms if answer.status == 200 else []
        return next((form.hidden for form in forms if is_wanted(form)), {})

    async def _signed_in(self, method: str, path: str, **options: Any) -> Answer:
        """Ask for something that only somebody signed in is given."""
        self._require_sign_in()
        answer = await self._ask_with_cookies(method, path, **options)
        if answer.is_refused:
            self._is_signed_in = False
            raise AuthenticationError("The sign-in to Entrez has ended. Call authenticate again.")
        if answer.status != 200:
            raise answer.not_understood()
        return answer

    async def _ask_with_cookies(self, method: str, path: str, **options: Any) -> Answer:
        answer = await self._ask(method, path, cookies=self._cookies, **options)
        self._cookies.update(answer.cookies)
        return answer

    def _require_sign_in(self) -> None:
        if not self._is_signed_in:
            raise AuthenticationError("Nobody is signed in to Entrez. Call authenticate first.")


def _new_verifier() -> str:
    """Return a random PKCE verifier of 64 characters (RFC 7636 allows 43 to 128)."""
    return secrets.token_urlsafe(48)


def _challenge_of(verifier: str) -> str:
    """Return the PKCE challenge of a verifier: its SHA-256 (method S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
