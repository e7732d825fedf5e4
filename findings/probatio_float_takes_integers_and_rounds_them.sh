#!/usr/bin/env bash
# probatio 0.13.0, which Home Assistant 2026.11 puts in the place of voluptuous: `float` takes integers and converts them.
#
# voluptuous checks a type with isinstance, so Schema(float) refuses 1. probatio returns 1.0, which has consequences that the
# word drop-in does not suggest: in Any(float, int) the first alternative now wins, so that an integer that was stored or
# published as 1 becomes 1.0; and an integer beyond 2**53, an identifier for example, comes back as another number, without
# an error. bool is refused by both, and so is an integer too large for a float. With the order Any(int, float) both agree.
#
# Needs a Python of 3.12 or newer.
#
# Seen with voluptuous 0.16.0 | probatio 0.13.0: float of 1: refused | 1.0; Any(float, int) of 1: 1 | 1.0; Any(int, float) of
# 1: 1 | 1; float of 9007199254740993: refused | 9007199254740992.0; float of True: refused | refused.
set -euo pipefail

python=
for candidate in python3 python3.14 python3.13 python3.12 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then python=$candidate; fi
done
[ -n "$python" ] || { echo "no Python of 3.12 or newer was found" >&2; exit 77; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check probatio==0.13.0 voluptuous==0.16.0

cat > "$folder/compare.py" <<'PYTHON'
import probatio
import voluptuous


def results(library):
    """Return what the library makes of each value."""
    for schema, value in (
        (float, 1),
        (library.Any(float, int), 1),
        (library.Any(int, float), 1),
        (float, 2**53 + 1),
        (float, True),
    ):
        try:
            yield repr(library.Schema(schema)(value))
        except library.Invalid:
            yield "refused"


for library in (voluptuous, probatio):
    print(library.__name__, *results(library))
PYTHON

found=$("$folder/venv/bin/python" "$folder/compare.py")
echo "$found"
[ "$found" = "voluptuous refused 1 1 refused refused
probatio 1.0 1.0 1 9007199254740992.0 refused" ]
