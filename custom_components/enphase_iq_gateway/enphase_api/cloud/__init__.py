"""Entrez, Enphase's service that gives out tokens, and Enlighten, the second way to one."""

from .authentication import Authentication
from .connection import AUTHENTICATION_HOST
from .enlighten import ENLIGHTEN_HOST, Enlighten
from .token import Token

__all__ = ["AUTHENTICATION_HOST", "ENLIGHTEN_HOST", "Authentication", "Enlighten", "Token"]
