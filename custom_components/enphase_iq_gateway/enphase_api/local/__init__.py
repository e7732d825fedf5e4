"""The IQ Gateway on the local network."""

from .gateway import Gateway
from .trust import Certificate, fetch_certificate

__all__ = ["Certificate", "Gateway", "fetch_certificate"]
