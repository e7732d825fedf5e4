"""Entrez, Enphase's token service, and Enlighten, an alternative sign-in."""

from .authentication import Authentication
from .connection import AUTHENTICATION_HOST
from .enlighten import ENLIGHTEN_HOST, Enlighten
from .token import Token

__all__ = ["AUTHENTICATION_HOST", "ENLIGHTEN_HOST", "Authentication", "Enlighten", "Token"]
