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

_REJECTED = "Entrez rejected the user name and password"


class Authentication(Connection):
    """A sign-in to Entrez. `session` is used and never closed; without it, see `SessionHolder`.

    The cookies of the sign-in are stored in this object, not in the session. Another `host` than Entrez, such
    as a simulated one, is used for Enlighten, too. Raises InvalidHostError for an invalid `host` (plain http
    is allowed for this machine only).
    """

    def __init__(
        self, session: aiohttp.ClientSession | None = None, *, host: str = AUTHENTICATION_HOST
    ) -> None:
        super().__init__(session, host)
        self._is_signed_in = False
        #: The cookies that Entrez has set since the begin of the sign-in.
        self._cookies: dict[str, str] = {}

    async def authenticate(self, username: str, password: str) -> bool:
        """Sign in; False if Entrez rejects user name and password.

        Raises MultiFactorError if the account requires a second factor, CommunicationError or
        ResponseError if Entrez is unavailable.
        """
        answer = await self._sign_in({"username": username, "password": password})
        if answer.is_refused:
            return False
        if SESSION_COOKIE not in self._cookies or not (answer.status == 200 or self._is_within(answer)):
            raise answer.unknown_answer_error()
        self._is_signed_in = True
        return True

    async def get_token(self, username: str, password: str, gateway_serial_number: str | int) -> str:
        """Sign in to Entrez, or to Enlighten if that fails, and return a token for a gateway of a site.

        In 2025 and 2026, each of the two failed for some accounts while the other worked. If Entrez rejects
        the password, Enlighten is not tried: a second attempt may lock the account.

        Raises AuthenticationError if user name and password are rejected, MultiFactorError if the
        account requires a second factor, TokenError if Entrez issues no token for this gateway,
        CommunicationError or ResponseError if Entrez is unavailable and Enlighten fails, too.
        """
        accepted = False
        try:
            accepted = await self.authenticate(username, password)
            if accepted:
                return await self.get_token_for_commissioned_gateway(gateway_serial_number)
        except EnphaseError as error:
            failure = error
        else:
            raise AuthenticationError(_REJECTED)
        is_known = isinstance(failure, (TokenError, MultiFactorError))
        if accepted and isinstance(failure, AuthenticationError) and not is_known:
            # Entrez has just accepted this password, so it is not wrong.
            failure = InvalidAnswerError(
                "Entrez accepted the user name and password, and then required them again",
                path="/entrez_tokens",
                status=401,
            )
        try:
            return await self._token_by_enlighten(username, password, gateway_serial_number)
        except TokenError:
            raise failure from None
        except AuthenticationError as error:
            # The rejection by Entrez counts, if there was one.
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

        Raises AuthenticationError if Entrez rejects user name and password, MultiFactorError if the
        account requires a second factor, CommunicationError or ResponseError if Entrez is unavailable.
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
            raise AuthenticationError(_REJECTED)
        raise answer.unknown_answer_error()

    @staticmethod
    async def get_token_from_oauth(
        code: str,
        code_verifier: str,
        *,
        host: str = AUTHENTICATION_HOST,
        session: aiohttp.ClientSession | None = None,
    ) -> dict[str, Any]:
        """Return Entrez's answer for a code of `authenticate_oauth`: the token is its `access_token`.

        Raises AuthenticationError if Entrez rejects the code, which is valid once and for minutes only;
        CommunicationError or ResponseError if Entrez is unavailable.
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
            raise AuthenticationError("Entrez issued no token for this code: sign in again for a new code")
        raise answer.unknown_answer_error()

    async def get_site(self, site_name: str) -> Any:
        """Return the sites of the account whose name contains `site_name`, as JSON of Entrez.

        This is a list of objects with `id`, `name` and `serial_numbers` (of the gateways). Raises
        AuthenticationError without a valid sign-in, CommunicationError or ResponseError if Entrez is
        unavailable.
        """
        answer = await self._request_signed_in("GET", f"/site/{quote(site_name, safe='')}")
        return parse_json(answer.body, answer.path, "Entrez")

    async def get_token_for_commissioned_gateway(self, gateway_serial_number: str | int) -> str:
        """Return a token for a gateway that belongs to a site.

        It is valid for a year for an owner, for 12 hours for an installer.
        Raises TokenError if Entrez issues none, AuthenticationError without a valid sign-in,
        CommunicationError or ResponseError if Entrez is unavailable.
        """
        serial_number = str(gateway_serial_number)
        return await self._token({"serialNum": serial_number}, f"gateway {serial_number}")

    async def get_token_for_uncommissioned_gateway(self) -> str:
        """Return a token for gateways without a site.

        Raises as `get_token_for_commissioned_gateway` does.
        """
        return await self._token({"uncommissioned": "true"}, "a gateway that is not commissioned")

    async def get_token_from_enlighten_session_id(
        self, enlighten_session_id: str, gateway_serial_number: str | int, username: str
    ) -> str:
        """Return a token for a session of the Enlighten web site; needs no `authenticate`.

        Raises TokenError if Entrez issues none, CommunicationError or ResponseError if it is unavailable.
        """
        body = {
            "session_id": enlighten_session_id,
            "serial_num": str(gateway_serial_number),
            "username": username,
        }
        answer = await self._ask("POST", "/tokens", json=body)
        token = answer.body.decode("utf-8", errors="replace").strip()
        # 400 and 403 were observed in 2025 and 2026.
        if answer.status in (400, 401, 403) or (answer.status == 200 and not has_form_of_token(token)):
            raise TokenError(
                f"Entrez issued no token for gateway {gateway_serial_number} and this session of Enlighten: "
                "sign in to Entrez instead, with authenticate",
                TokenReason.NOT_GIVEN,
            )
        if answer.status != 200:
            raise answer.unknown_answer_error()
        return token

    @staticmethod
    def check_token_valid(
        token: str,
        gateway_serial_number: str | int | None = None,
        verify_signature: bool = False,
        *,
        public_key: str = ENTREZ_PUBLIC_KEY,
    ) -> bool:
        """Return whether a token can be used; for reasons and options, see `Token.parse`."""
        try:
            return Token.parse(token, gateway_serial_number, verify_signature, public_key).problem is None
        except TokenError:
            return False

    async def logout(self) -> bool:
        """Sign out; False if nobody was signed in, or if Entrez did not confirm it.

        Raises CommunicationError if Entrez does not answer; the sign-in is forgotten nevertheless.
        """
        if not self._is_signed_in:
            return False
        self._is_signed_in = False
        answer = await self._ask_with_cookies("POST", "/logout")
        return answer.status < 400

    async def _sign_in(self, form: Mapping[str, str]) -> Answer:
        """Open the login page and send its form, as a browser does."""
        self._is_signed_in = False
        self._cookies.clear()
        hidden = await self._hidden_fields("/login_main_page", lambda each: each.asks_password)
        return await self._ask_with_cookies("POST", "/login", data={**hidden, **form})

    async def _token(self, form: Mapping[str, str], gateway: str) -> str:
        self._require_sign_in()
        hidden = await self._hidden_fields(
            "/entrez_tokens", lambda each: each.action.endswith("/entrez_tokens")
        )
        answer = await self._request_signed_in("POST", "/entrez_tokens", data={**hidden, **form})
        token = answer.page.token
        if token is None or not has_form_of_token(token):
            raise TokenError(
                f"Entrez issued no token for {gateway}: check its serial number and that it belongs to this "
                f"account, or create a token on {AUTHENTICATION_HOST} and paste it",
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
        """Return the hidden fields of a form of a page; none without such a form.

        Entrez may begin to reject forms without their `_csrf`.
        """
        answer = await self._ask_with_cookies("GET", path)
        forms = answer.page.forms if answer.status == 200 else []
        return next((form.hidden for form in forms if is_wanted(form)), {})

    async def _request_signed_in(self, method: str, path: str, **options: Any) -> Answer:
        """Send a request that requires a sign-in."""
        self._require_sign_in()
        answer = await self._ask_with_cookies(method, path, **options)
        if answer.is_refused:
            self._is_signed_in = False
            raise AuthenticationError("the sign-in to Entrez has ended: call authenticate again")
        if answer.status != 200:
            raise answer.unknown_answer_error()
        return answer

    async def _ask_with_cookies(self, method: str, path: str, **options: Any) -> Answer:
        answer = await self._ask(method, path, cookies=self._cookies, **options)
        self._cookies.update(answer.cookies)
        return answer

    def _require_sign_in(self) -> None:
        if not self._is_signed_in:
            raise AuthenticationError("not signed in to Entrez: call authenticate first")


def _new_verifier() -> str:
    """Return a random PKCE verifier of 64 characters (RFC 7636 allows 43 to 128)."""
    return secrets.token_urlsafe(48)


def _challenge_of(verifier: str) -> str:
    """Return the PKCE challenge of a verifier: its SHA-256 (method S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
