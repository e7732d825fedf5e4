"""What was asked of the gateway or of Entrez, kept for tests: paths, never secrets."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True)
class Request:
    """One request, as it came in."""

    path: str  #: with its query
    method: str
    time: float  #: house time at the gateway, real time at Entrez
    has_authorization: bool
    has_session: bool


def note(requests: list[Request], request: web.Request, at: float, session_cookie: str) -> None:
    """Add a request to those seen."""
    requests.append(
        Request(
            request.path_qs,
            request.method,
            at,
            "Authorization" in request.headers,
            session_cookie in request.cookies,
        )
    )
