#!/usr/bin/env bash
# Pillow 13.0.0: a GIF whose picture stands still for more than 655 s cannot be saved, although each frame is short.
#
# Equal frames in a row become one frame with the sum of their durations. A GIF keeps a duration in 16 bits of hundredths of a
# second, and the sum is not checked: 655 equal frames of one second are saved, 656 raise OverflowError "int too big to
# convert", which names neither frame nor duration. A recording of a display by day is saved, and the same one by night, when
# nothing moves, is lost at its end. As WebP and as animated PNG the frames are merged as well, and saved.
#
# Seen: GIF, frames 655 equal and another: 2 frames, 655000 ms; 656 equal and another: OverflowError; WebP 656: 2 frames,
# 656000 ms; PNG 656: 2 frames, 656000 ms; GIF 656, alternating by one pixel: 657 frames, 1000 ms.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0

cat > "$folder/save.py" <<'PYTHON'
import io

from PIL import Image

night, moving, day = (Image.new("RGB", (16, 16), color) for color in ("black", "black", "gold"))
moving.putpixel((0, 0), (0, 0, 255))


def result(kind, frames):
    file = io.BytesIO()
    try:
        frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=[1000] * len(frames))
    except OverflowError as error:
        return f"OverflowError: {error}"
    with Image.open(file) as picture:
        picture.load()
        return f"{picture.n_frames} frames, the first for {picture.info['duration']:.0f} ms"


print("GIF, 655 equal frames:", result("GIF", [night] * 655 + [day]))
print("GIF, 656 equal frames:", result("GIF", [night] * 656 + [day]))
print("WebP, 656 equal frames:", result("WEBP", [night] * 656 + [day]))
print("PNG, 656 equal frames:", result("PNG", [night] * 656 + [day]))
print("GIF, 656 frames that change:", result("GIF", [night, moving] * 328 + [day]))
PYTHON

seen=$("$folder/venv/bin/python" "$folder/save.py")
echo "$seen"
expected='GIF, 655 equal frames: 2 frames, the first for 655000 ms
GIF, 656 equal frames: OverflowError: int too big to convert
WebP, 656 equal frames: 2 frames, the first for 656000 ms
PNG, 656 equal frames: 2 frames, the first for 656000 ms
GIF, 656 frames that change: 657 frames, the first for 1000 ms'
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
