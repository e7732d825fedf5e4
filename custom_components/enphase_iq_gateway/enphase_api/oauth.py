"""OAuth 2.0 with PKCE (RFC 7636), as the gateway's own login page does it with Entrez."""

from __future__ import annotations

import base64
import hashlib
import secrets

#: What the gateway registers itself as with Entrez.
CLIENT_ID = "envoy-ui-1"
REDIRECT_URI = "https://envoy.local/auth/callback"


def new_verifier() -> str:
    """Return a fresh secret of 64 characters (RFC 7636 wants 43 to 128)."""
    return secrets.token_urlsafe(48)


def challenge_of(verifier: str) -> str:
    """Return what is shown of a verifier when a code is asked for: its SHA-256 (method S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
