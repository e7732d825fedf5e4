"""Entrez, Enphase's token service, and Enlighten, an alternative sign-in that also has battery settings."""

from .authentication import Authentication
from .battery import BatteryCloud, CloudSettings
from .connection import AUTHENTICATION_HOST
from .enlighten import ENLIGHTEN_HOST, Enlighten
from .token import Token

__all__ = [
    "AUTHENTICATION_HOST",
    "ENLIGHTEN_HOST",
    "Authentication",
    "BatteryCloud",
    "CloudSettings",
    "Enlighten",
    "Token",
]
