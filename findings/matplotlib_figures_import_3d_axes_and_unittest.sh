#!/usr/bin/env bash
# matplotlib 3.11.2 with pyparsing 3.3.3: a program that draws flat pictures imports three-dimensional axes, and a test framework.
#
# `import matplotlib.figure` imports every kind of axes, because projections are registered at import: mpl_toolkits.mplot3d is
# among them. Its fontconfig patterns are parsed by pyparsing, whose package imports pyparsing.testing, and that imports unittest
# with its runner and its signals. Neither is used by a flat picture, and no option leaves them out.
#
# Seen: mpl_toolkits.mplot3d, pyparsing.testing, unittest and unittest.runner are imported; matplotlib.pyplot is not.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check matplotlib==3.11.2 pyparsing==3.3.3

seen=$(MPLCONFIGDIR=$folder "$folder/venv/bin/python" -c '
import sys

import matplotlib.figure

for name in ("mpl_toolkits.mplot3d", "pyparsing.testing", "unittest", "unittest.runner", "matplotlib.pyplot"):
    print(name, "imported" if name in sys.modules else "not imported")
')
echo "$seen"
expected='mpl_toolkits.mplot3d imported
pyparsing.testing imported
unittest imported
unittest.runner imported
matplotlib.pyplot not imported'
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
