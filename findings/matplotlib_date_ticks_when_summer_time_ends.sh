#!/usr/bin/env bash
# matplotlib 3.11.2: AutoDateLocator loses ticks in the hour that comes twice.
#
# Half an hour has seven ticks, one every five minutes. Where summer time ends within it (here Europe/Vienna, 2026-10-25
# 01:00 UTC), the locator gives two, of which an axis that is labelled by them shows next to nothing: it chooses their
# distance from the difference of the local times, which is minus thirty minutes there. (Some other axes in that hour
# exhaust the memory instead; they are not shown here.) Ticks that are chosen in UTC and labelled in the zone have
# neither problem.
#
# Seen:
#   an evening before: 7 ticks; the hour that comes twice: 2 ticks; in UTC: 7 ticks
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check matplotlib==3.11.2

cat > "$folder/ticks.py" <<'PYTHON'
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.dates import AutoDateLocator, date2num

VIENNA = ZoneInfo("Europe/Vienna")


def ticks(begin: datetime, zone) -> int:
    _, axes = plt.subplots()
    locator = AutoDateLocator(tz=zone)
    axes.xaxis.set_major_locator(locator)
    axes.set_xlim(date2num(begin), date2num(begin + timedelta(minutes=30)))
    return len(locator())


changing = datetime(2026, 10, 25, 0, 40, tzinfo=UTC)
before = ticks(changing - timedelta(hours=8), VIENNA)
print(f"an evening before: {before} ticks; the hour that comes twice: {ticks(changing, VIENNA)} ticks;", end=" ")
print(f"in UTC: {ticks(changing, UTC)} ticks")
PYTHON

seen=$("$folder/venv/bin/python" "$folder/ticks.py")
echo "matplotlib 3.11.2: $seen"
[ "$seen" = "an evening before: 7 ticks; the hour that comes twice: 2 ticks; in UTC: 7 ticks" ]
