#!/usr/bin/env bash
# python-dateutil 4.0.0: a local time in the hour that a spring day misses is another instant than in 2.9.0.
#
# tz.gettz took the offset after the change for such a time, 4.0.0 takes the one before it, as zoneinfo does: 02:30 in Berlin
# on the last Sunday of March moves from 00:30 UTC to 01:30 UTC. Whoever stored the instant of "every day at 02:30", or
# compares with one that an older version stored, is an hour off once a year, and no warning says so. In an hourly rrule the
# time that is there twice is another one, too: with 2.9.0 the hour before the change has two entries, with 4.0.0 the hour after
# it. tz.resolve_imaginary gives 03:30+02:00 with both, and the hour that comes twice has not changed.
#
# Seen, with 2.9.0.post0 | 4.0.0: 02:30 in Berlin: 00:30 UTC | 01:30 UTC; in New York: 06:30 UTC | 07:30 UTC; in Lord Howe, 02:15:
# 15:15 UTC | 15:45 UTC; hours of rrule: 00 00 01 02 | 00 01 01 02 UTC; resolve_imaginary: 03:30+02:00 | 03:30+02:00.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/missing.py" <<'PYTHON'
from datetime import UTC, datetime

from dateutil import rrule, tz

for zone, time in (
    ("Europe/Berlin", datetime(2026, 3, 29, 2, 30)),
    ("America/New_York", datetime(2026, 3, 8, 2, 30)),
    ("Australia/Lord_Howe", datetime(2026, 10, 4, 2, 15)),
):
    print(f"{zone} {time:%H:%M}: {time.replace(tzinfo=tz.gettz(zone)).astimezone(UTC):%H:%M}")
berlin = tz.gettz("Europe/Berlin")
hours = rrule.rrule(rrule.HOURLY, count=4, dtstart=datetime(2026, 3, 29, 1, tzinfo=berlin))
print("rrule:", *(f"{hour.astimezone(UTC):%H}" for hour in hours))
print("resolved:", tz.resolve_imaginary(datetime(2026, 3, 29, 2, 30, tzinfo=berlin)).strftime("%H:%M%z"))
PYTHON

seen=$(for version in 2.9.0.post0 4.0.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet --disable-pip-version-check python-dateutil==$version
  echo "$version"
  "$folder/$version/bin/python" "$folder/missing.py"
done)
echo "$seen"
expected='2.9.0.post0
Europe/Berlin 02:30: 00:30
America/New_York 02:30: 06:30
Australia/Lord_Howe 02:15: 15:15
rrule: 00 00 01 02
resolved: 03:30+0200
4.0.0
Europe/Berlin 02:30: 01:30
America/New_York 02:30: 07:30
Australia/Lord_Howe 02:15: 15:45
rrule: 00 01 01 02
resolved: 03:30+0200'
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
