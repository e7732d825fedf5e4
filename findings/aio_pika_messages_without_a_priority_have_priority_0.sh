#!/usr/bin/env bash
# aio-pika 10.2.1: a Message that is created without a priority is sent with priority 0, not without one.
#
# The property is optional in AMQP, and the argument's default is None, as in pika. A quorum queue of RabbitMQ 4.3 tells
# them apart: it delivers messages without a priority before those with 0. Publishers of one queue that use different
# libraries therefore overtake each other, and a backlog of aio-pika's messages waits for all others. aiormq, which
# aio-pika is built on, sends none.
#
# Seen:
#   aio-pika: 0; aiormq: None; sent: 0
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aio-pika==10.2.1 aiormq==7.2.4 pamqp==4.0.1

cat > "$folder/priority.py" <<'PYTHON'
import aio_pika
from aiormq import spec
from pamqp.commands import Basic

properties = aio_pika.Message(b"").properties
read = Basic.Properties()
encoded = properties.marshal()
read.unmarshal(int.from_bytes(encoded[:2], "big"), encoded[2:])
print(f"aio-pika: {properties.priority}; aiormq: {spec.Basic.Properties().priority}; sent: {read.priority}")
PYTHON

seen=$("$folder/venv/bin/python" "$folder/priority.py")
echo "aio-pika 10.2.1: $seen"
[ "$seen" = "aio-pika: 0; aiormq: None; sent: 0" ]
