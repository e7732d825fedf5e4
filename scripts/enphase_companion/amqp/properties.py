"""Read AMQP properties that pamqp rejects: such a message would end every connection that receives it.

A broker accepts short strings and header names that are not UTF-8, such as Latin-1, and timestamps after the
year 9999, such as nanoseconds; and headers that pamqp can read but not write, although dead letters keep
their headers. None of them matters for a reading.
"""

from __future__ import annotations

import logging
import struct

from pamqp import decode, encode
from pamqp.common import FieldValue

#: The header that replaces all headers if they cannot be read.
UNREADABLE = "unreadable headers"

#: Bytes.
_MOMENT = 8

#: Bytes. The library needs time as their square.
_LONGEST_TABLE = 16_000


def read_all() -> None:
    """Let the library read what it would refuse; to be called before connecting, any number of times."""
    decode.METHODS.update(shortstr=_short_text, table=_table, timestamp=_moment)
    decode.TABLE_MAPPING[b"T"] = _moment
    # It logs each header name that it truncates, as the sender wrote it.
    logging.getLogger(encode.__name__).setLevel(logging.ERROR)


def _short_text(value: bytes) -> tuple[int, FieldValue]:
    try:
        return decode.short_str(value)
    except UnicodeDecodeError:
        # As long as it was: it may have to be sent on, and 255 bytes is all that there is.
        length = value[0]
        return 1 + length, value[1 : 1 + length].decode("ascii", "replace").replace("\ufffd", "?")


def _table(value: bytes) -> tuple[int, FieldValue]:
    end = 4 + int.from_bytes(value[:4])
    if end > len(value):  # Cut off: that is for the library to refuse.
        return decode.field_table(value)
    if end <= _LONGEST_TABLE:
        try:
            read, table = decode.field_table(value[:end])
            if read == end:
                encode.field_table(table)
                return end, table
        except (ValueError, TypeError, OverflowError, RecursionError, struct.error):
            pass
    return end, {UNREADABLE: bytearray(value[4:end])}


def _moment(value: bytes) -> tuple[int, FieldValue]:
    try:
        return decode.timestamp(value)
    except (ValueError, OverflowError, OSError):
        if len(value) < _MOMENT:  # Cut off: that is for the library to refuse.
            raise
        return _MOMENT, None
