"""Take the pictures of Home Assistant: the best of the browser tests, with fewer colours."""

from __future__ import annotations

import subprocess
import sys

from PIL import Image

from ..steps import PROJECT
from .house import IMAGES

_TESTS = PROJECT / "tests" / "browser"
#: Names in docs/images by the name of a step's picture.
_BEST = {
    "add-2-trust": "trust",
    "dashboard-battery-now-1280": "dashboard",
    "dashboard-sixty-inverters-panels-1280": "dashboard-panels",
    "device-page": "device-page",
    "energy-yesterday": "energy-dashboard",
    "certificate-2-question": "certificate-changed",
}


def home_assistant() -> None:
    """Run the browser tests and keep the best of their pictures; after a failed test none is changed."""
    subprocess.run([sys.executable, str(PROJECT / "scripts" / "test"), str(_TESTS)], check=True)
    for step, name in _BEST.items():
        file = IMAGES / f"{name}.png"
        with Image.open(_TESTS / "output" / f"{step}.png") as picture:
            few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(file, optimize=True)
        print(f"docs/images/{file.name}")
