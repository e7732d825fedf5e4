"""Entrez, Enphase's service that gives out tokens."""

from .authentication import Authentication
from .connection import AUTHENTICATION_HOST
from .token import Token

__all__ = ["AUTHENTICATION_HOST", "Authentication", "Token"]
