#!/usr/bin/env bash
# unicornhathd 0.0.4: switching addressing on, as a chain of panels needs it, turns the picture by a quarter.
#
# A program for one Unicorn HAT HD that is extended to a chain (Ubercorn) calls enable_addressing and
# setup_display(0, x=0, y=0, rotation=0) and would expect that panel 0 shows what the single HAT showed. It shows it turned by
# 90 degrees counter-clockwise: a display's rotation is counted from one quarter on, and in quarters, where that of the
# whole picture is in degrees. The same picture needs setup_display(0, 0, 0, 3).
#
# There is no SPI device here: a module `spidev` keeps the bytes that would go to it.
#
# Seen: pixel (2, 0) is lit. Single HAT: LED 32 of 256, the first of its third row. Addressed with rotation 0: LED 242, the
# third of the last row; with rotation 3: LED 32 again.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps unicornhathd==0.0.4
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "numpy==2.2.6"

mkdir "$folder/modules"
cat > "$folder/modules/spidev.py" <<'PYTHON'
sent = []


class SpiDev:
    def open(self, bus, device):
        pass

    def xfer2(self, values):
        sent.append(list(values))
PYTHON

cat > "$folder/turned.py" <<'PYTHON'
import sys

import spidev
import unicornhathd as hat


def shown():
    """Return the place of the lit pixel in the bytes after the start byte."""
    spidev.sent.clear()
    hat.show()
    (frame,) = spidev.sent
    return frame[1:].index(127) // 3


hat.brightness(0.5)
hat.set_pixel(2, 0, 255, 255, 255)
single = shown()
hat.enable_addressing()
found = {}
for rotation in range(4):
    hat.setup_display(0, 0, 0, rotation)
    found[rotation] = shown()
print(f"unicornhathd 0.0.4: lit LED of the single HAT: {single}; addressed, by rotation: {found}")
sys.exit(0 if found[0] != single and found[3] == single else 1)
PYTHON

PYTHONPATH="$folder/modules" "$folder/venv/bin/python" "$folder/turned.py"
