"""A message: what meters or microinverters of one gateway read at one time, and its JSON on the queue."""

from enphase_api.message import (
    MAX_INVERTERS,
    MAX_SAMPLES,
    MAX_TEXT,
    PHASES,
    SCHEMA_VERSION,
    WHOLE,
    InverterSample,
    Message,
    Sample,
    from_inverters,
    from_readings,
)

from .codec import (
    MAX_BODY,
    MessageError,
    OutgoingMessage,
    are_complete,
    build_reports,
    decode,
    encode,
    from_content,
)

__all__ = [
    "MAX_BODY",
    "MAX_INVERTERS",
    "MAX_SAMPLES",
    "MAX_TEXT",
    "PHASES",
    "SCHEMA_VERSION",
    "WHOLE",
    "InverterSample",
    "Message",
    "MessageError",
    "OutgoingMessage",
    "Sample",
    "are_complete",
    "build_reports",
    "decode",
    "encode",
    "from_content",
    "from_inverters",
    "from_readings",
]
