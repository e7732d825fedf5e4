"""Entrez, Enphase's service that gives out tokens."""

from .authentication import Authentication
from .token import Token

__all__ = ["Authentication", "Token"]
