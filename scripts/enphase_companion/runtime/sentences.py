"""How texts are put together: each part stands as a sentence of its own."""

from __future__ import annotations


def join(*parts: str | None) -> str:
    """Return the parts as sentences, each with its full stop; what is None or empty is left out."""
    return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts if part)
