#!/usr/bin/env bash
# matplotlib 3.11.2: fill_between(step="post") leaves out the step before a NaN, which step(where="post") draws.
#
# A value holds from its time to the next time. Where the next value is NaN (a gap in the data), the line of `step` goes
# on to the time of the gap, as it should; the area of `fill_between` with the same x and y already ends one step
# earlier, and an area between two NaN has no width at all. So the area under a stepped line and the line disagree at
# every gap. `stairs(values, edges, fill=True)` fills every step.
#
# Seen, for x = 0 to 5 and a NaN at 3:
#   line 0-3 4-5; area 0-2 4-5; stairs 0-3 4-6
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check matplotlib==3.11.2

cat > "$folder/steps.py" <<'PYTHON'
import math

import matplotlib

matplotlib.use("Agg")
from matplotlib import cbook, pyplot

x, y = [0, 1, 2, 3, 4, 5], [1, 1, 1, math.nan, 1, 1]
_, axes = pyplot.subplots()


def ranges(points):
    """Return the stretches of x in which y is a number."""
    found, begun, last = [], None, None
    for at, value in [*points, (None, math.nan)]:
        if math.isnan(value):
            if begun is not None:
                found.append(f"{begun:g}-{last:g}")
            begun = None
        else:
            begun = at if begun is None else begun
            last = at
    return " ".join(found)


line = ranges(zip(*cbook.pts_to_poststep(x, y)))
paths = axes.fill_between(x, y, step="post").get_paths()
area = " ".join(f"{path.vertices[:, 0].min():g}-{path.vertices[:, 0].max():g}" for path in paths)
vertices = axes.stairs(y, [*x, 6], fill=True).get_path().vertices
tops = [vertex for vertex in vertices.tolist() if vertex[1] > 0]
first, second = [at for at, _ in tops if at <= 3], [at for at, _ in tops if at > 3]
print(f"line {line}; area {area}; stairs {min(first):g}-{max(first):g} {min(second):g}-{max(second):g}")
PYTHON

seen=$("$folder/venv/bin/python" "$folder/steps.py")
echo "matplotlib 3.11.2: $seen"
[ "$seen" = "line 0-3 4-5; area 0-2 4-5; stairs 0-3 4-6" ]
