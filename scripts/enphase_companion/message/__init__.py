"""A message: what the meters of one gateway said at one moment; and its form on the queue."""

from .form import MAX_BODY, SCHEMA_VERSION, Message, MessageError, decode, encode, from_readings, is_complete
from .sample import PHASES, WHOLE, Sample

__all__ = [
    "MAX_BODY",
    "PHASES",
    "SCHEMA_VERSION",
    "WHOLE",
    "Message",
    "MessageError",
    "Sample",
    "decode",
    "encode",
    "from_readings",
    "is_complete",
]
