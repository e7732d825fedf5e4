"""The pictures of Home Assistant in docs/images: the best of the browser's tests, with fewer colours."""

from __future__ import annotations

import subprocess
import sys

from PIL import Image

from .options import PROJECT

TESTS = PROJECT / "tests" / "browser"
IMAGES = PROJECT / "docs" / "images"
#: By the name of a step's picture, what it is called in docs/images.
_BEST = {
    "add-2-trust": "trust",
    "device-page": "device-page",
    "energy-yesterday": "energy-dashboard",
    "certificate-2-question": "certificate-changed",
}


def main() -> int:
    """Run the command and return its exit status."""
    tests = [sys.executable, str(PROJECT / "scripts" / "test"), str(TESTS)]
    outcome = subprocess.run(tests, check=False).returncode
    if outcome:
        print("scripts/screenshots: a test failed, so the pictures stay as they are", file=sys.stderr)
        return outcome
    for step, name in _BEST.items():
        file = IMAGES / f"{name}.png"
        with Image.open(TESTS / "output" / f"{step}.png") as picture:
            few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(file, optimize=True)
        print(f"{file} ({file.stat().st_size // 1024} kB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
