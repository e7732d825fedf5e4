"""The IQ Gateway on the local network."""

from .control import Control
from .gateway import Gateway
from .proof import Timing
from .trust import Certificate, fetch_certificate

__all__ = ["Certificate", "Control", "Gateway", "Timing", "fetch_certificate"]
