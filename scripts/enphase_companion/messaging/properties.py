"""Reading AMQP properties that the library refuses: one such message would end each connection that gets it.

A broker takes short texts and names of headers that are not UTF-8, as of a program that writes Latin-1, and
moments beyond the year 9999, as of one that counts nanoseconds. None of them matters for a reading.
"""

from __future__ import annotations

from pamqp import decode
from pamqp.common import FieldValue

#: The header that stands for all headers, where they cannot be read.
UNREADABLE = "unreadable headers"

#: Bytes.
_MOMENT = 8


def read_all() -> None:
    """Let the library read what it would refuse; to be called before connecting, any number of times."""
    decode.METHODS.update(shortstr=_short_text, table=_table, timestamp=_moment)
    decode.TABLE_MAPPING.update({b"F": _table, b"T": _moment})


def _short_text(value: bytes) -> tuple[int, FieldValue]:
    try:
        return decode.short_str(value)
    except UnicodeDecodeError:
        # As long as it was: it may have to be sent on, and 255 bytes is all that there is.
        length = value[0]
        return 1 + length, value[1 : 1 + length].decode("ascii", "replace").replace("\ufffd", "?")


def _table(value: bytes) -> tuple[int, FieldValue]:
    try:
        return decode.field_table(value)
    except UnicodeDecodeError:
        length = int.from_bytes(value[:4])
        return 4 + length, {UNREADABLE: bytearray(value[4 : 4 + length])}


def _moment(value: bytes) -> tuple[int, FieldValue]:
    try:
        return decode.timestamp(value)
    except (ValueError, OverflowError, OSError):
        if len(value) < _MOMENT:  # Cut off: that is for the library to refuse.
            raise
        return _MOMENT, None
