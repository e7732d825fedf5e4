"""A message: what the meters of one gateway said at one moment; and its form on the queue."""

from .codec import MAX_BODY, SCHEMA_VERSION, MessageError, decode, encode, from_readings, is_complete
from .model import PHASES, WHOLE, Message, OutgoingMessage, Sample

__all__ = [
    "MAX_BODY",
    "PHASES",
    "SCHEMA_VERSION",
    "WHOLE",
    "Message",
    "MessageError",
    "OutgoingMessage",
    "Sample",
    "decode",
    "encode",
    "from_readings",
    "is_complete",
]
