"""The simulated Entrez, Enphase's sign-in service that issues the gateway's tokens; and Enlighten."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from html import escape
from urllib.parse import urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from .battery_cloud import API, SESSION_COOKIE, SITE, SITE_NAME, USER, BatteryCloud
from .certificate import key_from_seed
from .faults import Faults
from .server import Request, note
from .sessions import UNCOMMISSIONED, make_token

USERNAME, PASSWORD = "owner@example.com", "sunny-side-up"
#: An account whose sign-in requires a second factor.
MFA_USERNAME = "mfa@example.com"
#: An installer's account, which gets tokens for twelve hours.
INSTALLER_USERNAME = "installer@example.com"
LIFETIMES = {"owner": 365 * 86400, "installer": 12 * 3600}

_SIGN_IN_FORM = (
    '<h1>Sign in</h1><form action="/login" method="post"><input type="hidden" name="_csrf" value="{csrf}"/>'
    '<label>E-mail address <input type="email" name="username"></label>'
    '<label>Password <input type="password" name="password"></label>'
    '<input type="submit" value="Sign in"></form>'
)
_SELECT_FORM = (
    '<h1>Welcome</h1><form action="/entrez_tokens" method="post">'
    '<input type="hidden" name="_csrf" value="{csrf}"/>'
    '<label>Gateway <input name="serialNum"></label><input type="submit" value="Create access token"></form>'
)
_PAGE = '<!DOCTYPE html>\n<html lang="en"><head><title>Entrez</title></head><body>{}</body></html>\n'


class Entrez:
    """Accounts, sessions and tokens; the routes are `handle`'s.

    The same address also serves Enlighten: its sign-in and, where there are IQ Batteries, their settings.
    """

    def __init__(self, serial_number: str, seed: int) -> None:
        self._serial_number = serial_number
        self._key = key_from_seed("entrez", seed)
        self._signed_in: dict[str, str] = {}
        #: Enlighten's sessions, each with its user.
        self._of_enlighten: dict[str, str] = {}
        #: Whether to reject a form without the hidden `_csrf` of its page; the real Entrez accepts one.
        self.wants_csrf = False
        #: By authorisation code, its PKCE challenge and the requested serial number.
        self._codes: dict[str, tuple[str, str]] = {}
        self.faults = Faults()
        self.requests: list[Request] = []
        #: The name of the site that the gateway belongs to.
        self.site_name = SITE_NAME
        #: The kind of token (see TOKENS) that a sign-in gets; None: by its role.
        self.token_kind: str | None = None
        #: The battery settings in the cloud, where the gateway has IQ Batteries.
        self.battery_cloud: BatteryCloud | None = None
        #: Seconds that the clock here is ahead of this machine's.
        self.clock_offset = 0.0

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The key that verifies tokens."""
        return self._key.public_key()

    def token(
        self,
        role: str = "owner",
        lifetime: float | None = None,
        serial_number: str | None = None,
        issued_ago: float = 0,
        username: str = USERNAME,
    ) -> str:
        """Return a signed token. `lifetime` counts from when it was issued, `issued_ago` seconds ago."""
        issued = int(time.time() + self.clock_offset - issued_ago)
        claims = {
            "aud": serial_number or self._serial_number,
            "iss": "Entrez",
            "enphaseUser": role,
            "exp": issued + int(LIFETIMES[role] if lifetime is None else lifetime),
            "iat": issued,
            "jti": secrets.token_hex(8),
            "username": username,
        }
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": "simulated"})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request to Entrez."""
        note(self.requests, request, time.time(), session_cookie="SESSION")
        fault = await self.faults.before(request)
        if fault is not None:
            return fault
        routes = {
            ("GET", "/login_main_page"): self._login_page,
            ("POST", "/login"): self._login,
            ("POST", "/logout"): self._logout,
            ("GET", "/entrez_tokens"): self._token_page,
            ("POST", "/entrez_tokens"): self._entrez_tokens,
            ("POST", "/login/login.json"): self._login_to_enlighten,
            ("POST", "/tokens"): self._tokens,
            ("POST", "/oauth/token"): self._oauth_token,
        }
        route = routes.get((request.method, request.path))
        if route is not None:
            return await route(request)
        if self.battery_cloud is not None and request.path.startswith((API, "/app-api/")):
            username = self._of_enlighten.get(request.cookies.get(SESSION_COOKIE, ""))
            return await self.battery_cloud.handle(request, username)
        if request.method == "GET" and request.path.startswith("/site/"):
            return self._site(request)
        return web.Response(status=404, text=_PAGE.format("<h1>Not found</h1>"), content_type="text/html")

    async def _login_page(self, _: web.Request) -> web.Response:
        session = secrets.token_hex(16)
        answer = _page(_SIGN_IN_FORM.format(csrf=_csrf_of(session)))
        answer.set_cookie("SESSION", session, httponly=True)
        return answer

    async def _login(self, request: web.Request) -> web.Response:
        form = await request.post()
        if self._lacks_csrf(request, form.get("_csrf")):
            return _page("<h1>Forbidden</h1>", status=403)
        username = str(form.get("username", ""))
        if not _is_right(username, form.get("password")):
            return await self._login_page(request)
        if username == MFA_USERNAME:
            return _page(
                '<h1>Multi-factor authentication</h1><form action="/login/mfa" method="post">'
                '<label>Verification code <input name="otp"></label></form>'
            )
        if form.get("authFlow") == "oauth":
            return self._authorize({key: str(value) for key, value in form.items()})
        session = secrets.token_hex(16)
        self._signed_in[session] = username
        answer = _page('<h1>Welcome</h1><p><a href="/entrez_tokens">Tokens</a></p>')
        answer.set_cookie("SESSION", session, httponly=True)
        return answer

    def _lacks_csrf(self, request: web.Request, given: object) -> bool:
        return self.wants_csrf and given != _csrf_of(request.cookies.get("SESSION", ""))

    async def _login_to_enlighten(self, request: web.Request) -> web.Response:
        form = await request.post()
        username = str(form.get("user[email]", ""))
        if not _is_right(username, form.get("user[password]")):
            return web.json_response({"message": "Invalid credentials"}, status=401)
        if username == MFA_USERNAME:
            return web.json_response({"message": "success", "requires_mfa": True})
        session = secrets.token_hex(16)
        self._of_enlighten[session] = username
        answer = web.json_response(
            {
                "message": "success",
                "session_id": session,
                "is_consumer": True,
                "user_id": USER,
                "system_id": SITE,
            }
        )
        answer.set_cookie(SESSION_COOKIE, session, httponly=True)
        return answer

    def _authorize(self, form: dict[str, str]) -> web.Response:
        code = secrets.token_urlsafe(16)
        self._codes[code] = (form.get("codeChallenge", ""), form.get("serialNum", ""))
        location = f"{form.get('redirectUri', '')}?{urlencode({'code': code})}"
        return web.Response(status=302, headers={"Location": location})

    async def _logout(self, request: web.Request) -> web.Response:
        self._signed_in.pop(request.cookies.get("SESSION", ""), None)
        answer = _page("<h1>Signed out</h1>")
        answer.del_cookie("SESSION")
        return answer

    async def _token_page(self, request: web.Request) -> web.Response:
        session = request.cookies.get("SESSION", "")
        if session not in self._signed_in:
            return _page(_SIGN_IN_FORM.format(csrf=""), status=401)
        return _page(_SELECT_FORM.format(csrf=_csrf_of(session)))

    async def _entrez_tokens(self, request: web.Request) -> web.Response:
        username = self._signed_in.get(request.cookies.get("SESSION", ""))
        if username is None:
            return _page(_SIGN_IN_FORM.format(csrf=""), status=401)
        form = await request.post()
        if self._lacks_csrf(request, form.get("_csrf")):
            return _page("<h1>Forbidden</h1>", status=403)
        serial_number = (
            UNCOMMISSIONED if form.get("uncommissioned") == "true" else str(form.get("serialNum", ""))
        )
        if serial_number not in (UNCOMMISSIONED, self._serial_number):
            return _page("<h1>Token</h1><p>This gateway is not one of your systems.</p>")
        token = escape(self._token_for(username, serial_number))
        return _page(
            "<h1>Token</h1><p>Access token for your gateway:</p>"
            f'<textarea id="JWTToken" readonly rows="8" cols="64" name="accessToken">{token}</textarea>'
        )

    async def _tokens(self, request: web.Request) -> web.Response:
        body = await request.json()
        username = self._of_enlighten.get(str(body.get("session_id", "")))
        if username is None or body.get("serial_num") != self._serial_number:
            return web.Response(status=403, text="Forbidden")
        return web.Response(text=self._token_for(username, self._serial_number))

    async def _oauth_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        return web.json_response(self.redeem(str(form.get("code", "")), str(form.get("code_verifier", ""))))

    def redeem(self, code: str, verifier: str) -> dict[str, object]:
        """Return the token for an authorisation code, once, else the `message` with the reason."""
        challenge, serial_number = self._codes.pop(code, ("", ""))
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if not challenge or digest != challenge:
            return {"message": "Invalid authorization code or code verifier"}
        return {
            "access_token": self._token_for(USERNAME, serial_number or self._serial_number),
            "token_type": "Bearer",
            "expires_in": LIFETIMES["owner"],
        }

    def _token_for(self, username: str, serial_number: str) -> str:
        if self.token_kind is not None:
            return make_token(self.token, self.token_kind)
        role = "installer" if username == INSTALLER_USERNAME else "owner"
        return self.token(role, serial_number=serial_number, username=username)

    def _site(self, request: web.Request) -> web.Response:
        if request.cookies.get("SESSION", "") not in self._signed_in:
            return web.Response(status=401, text="Unauthorized")
        wanted = request.path.removeprefix("/site/").casefold()
        site = {"id": SITE, "name": self.site_name, "serial_numbers": [self._serial_number]}
        return web.json_response([site] if wanted in self.site_name.casefold() else [])


def _is_right(username: str, password: object) -> bool:
    return username in (USERNAME, MFA_USERNAME, INSTALLER_USERNAME) and password == PASSWORD


def _csrf_of(session: str) -> str:
    """Return the hidden fields of a session's forms."""
    return hashlib.sha256(session.encode()).hexdigest()[:32]


def _page(content: str, status: int = 200) -> web.Response:
    return web.Response(status=status, text=_PAGE.format(content), content_type="text/html")
