"""Pages of Entrez, and handlers that answer with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

# The structure of Entrez's pages, as recorded in 2025.
LOGIN_FORM = """<title>Enphase Authentication | Login page</title><p class="error">{error}</p>
<form class="login-form" action="/login" method="post"><input type="hidden" name="_csrf" value="x"/>
<input type="text" id="username" name="username"/><input type="password" id="password" name="password"/>
<input type="text" name="codeChallenge" value="" hidden=true/></form>"""
SELECT_GATEWAY = """<h1 class="content__title">Authentication</h1>
<form action="/entrez_tokens" method="post"><input type="hidden" name="_csrf" value="x"/></form>
<script>var otp = "one-time";</script><p>New: protect your account with two-factor authentication!</p>"""

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer_page(
    text: str = "", *, status: int = 200, cookies: tuple[str, ...] = ("SESSION",), location: str = ""
) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.Response(status=status, text=text, content_type="text/html")
        for cookie in cookies:
            response.set_cookie(cookie, "s3ss10n")
        if location:
            response.headers["Location"] = location
        return response

    return answer
