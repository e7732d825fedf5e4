"""A message: what the meters of one gateway read at one time, and its JSON on the queue."""

from .codec import (
    MAX_BODY,
    MessageError,
    are_complete,
    build_reports,
    decode,
    encode,
    from_readings,
)
from .model import PHASES, SCHEMA_VERSION, WHOLE, Message, OutgoingMessage, Sample

__all__ = [
    "MAX_BODY",
    "PHASES",
    "SCHEMA_VERSION",
    "WHOLE",
    "Message",
    "MessageError",
    "OutgoingMessage",
    "Sample",
    "are_complete",
    "build_reports",
    "decode",
    "encode",
    "from_readings",
]
