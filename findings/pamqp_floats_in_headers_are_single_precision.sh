#!/usr/bin/env bash
# pamqp 4.0.1 (below aiormq and aio-pika): a Python float in a message's headers is written as a 32-bit float.
#
# AMQP's tables have a 64-bit float too ("d"), and pamqp reads it, but it always writes "f". A Unix time in a header
# comes back 12 seconds off, and 0.1 as 0.10000000149011612, with no error at the publisher. A header that another client
# wrote as a 64-bit float and that is beyond a 32-bit one's range can be read and not be written again, so a message
# with it cannot be published on with its headers, to a dead-letter exchange for example: OverflowError. Whole numbers
# are not affected; write milliseconds as an integer, or a float as text.
#
# Seen:
#   0.1 -> 0.10000000149011612; 1795910412.5 -> 1795910400.0; read 1e+300, write it: OverflowError
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pamqp==4.0.1

cat > "$folder/floats.py" <<'PYTHON'
import struct

from pamqp import decode, encode


def there_and_back(value: float) -> float:
    return decode.embedded_value(encode.encode_table_value(value))[1]


_, read = decode.embedded_value(b"d" + struct.pack(">d", 1e300))
try:
    encode.encode_table_value(read)
    written = "works"
except Exception as error:
    written = type(error).__name__
print(f"0.1 -> {there_and_back(0.1)}; 1795910412.5 -> {there_and_back(1795910412.5)};", end=" ")
print(f"read {read}, write it: {written}")
PYTHON

seen=$("$folder/venv/bin/python" "$folder/floats.py")
echo "pamqp 4.0.1: $seen"
[ "$seen" = "0.1 -> 0.10000000149011612; 1795910412.5 -> 1795910400.0; read 1e+300, write it: OverflowError" ]
