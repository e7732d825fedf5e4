#!/usr/bin/env bash
# pyarrow 26.0.1: floor_temporal raises ArrowInvalid for instants that are not ambiguous, in the hour that comes twice.
#
# A timestamp with a time zone is an instant: 00:15 UTC is 02:15+02:00 in Berlin when summer time ends, and nothing else.
# floor_temporal nevertheless takes the local time, rounds it, and looks for the instant again, which then has two answers.
# One reading in that hour makes the whole column fail, and ceil_temporal and round_temporal with it. In Lord Howe, whose
# clocks change by half an hour, hours fail in the other season: 02:30+11:00, which exists, is rounded to 02:00, which does
# not exist. Days work. There is no option as assume_timezone has for both cases. polars 2.1.0 rounds all of them, each to
# the right instant.
#
# Needs a Python of 3.11 or newer.
#
# Seen, with pyarrow | polars: Berlin, hour that comes twice, by hours: Local time is ambiguous | 02:00+02:00 02:00+01:00;
# by quarters: Local time is ambiguous | 02:15+02:00 02:15+01:00; Lord Howe, summer time begins, by hours: Local time does
# not exist | 02:30+11:00; Berlin, by days: 00:00+02:00 00:00+02:00 | the same.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 polars==2.1.0

cat > "$folder/floor.py" <<'PYTHON'
from datetime import UTC, datetime

import polars
import pyarrow
import pyarrow.compute

CASES = (
    # 02:20 of summer time and 02:20 of winter time
    ("Berlin by hours", "Europe/Berlin", ("2026-10-25T00:20", "2026-10-25T01:20"), 60),
    ("Berlin by quarters", "Europe/Berlin", ("2026-10-25T00:20", "2026-10-25T01:20"), 15),
    # 02:40, in the half hour after the clock went from 02:00 to 02:30
    ("Lord Howe by hours", "Australia/Lord_Howe", ("2026-10-03T15:40",), 60),
    ("Berlin by days", "Europe/Berlin", ("2026-10-25T00:20", "2026-10-25T01:20"), 1440),
)
UNITS = {15: ("minute", 15), 60: ("hour", 1), 1440: ("day", 1)}


def shown(times):
    return " ".join(f"{time:%H:%M}{time.isoformat()[-6:]}" for time in times)


for name, zone, texts, minutes in CASES:
    instants = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in texts]
    unit, multiple = UNITS[minutes]
    try:
        array = pyarrow.array(instants, type=pyarrow.timestamp("s", tz=zone))
        arrow = shown(pyarrow.compute.floor_temporal(array, multiple=multiple, unit=unit).to_pylist())
    except pyarrow.ArrowInvalid as error:
        arrow = str(error).split(":")[0]
    series = polars.Series(instants).dt.convert_time_zone(zone).dt.truncate(f"{minutes}m" if minutes < 1440 else "1d")
    print(f"{name}: {arrow} | {shown(series.to_list())}")
PYTHON

seen=$("$folder/venv/bin/python" "$folder/floor.py")
echo "$seen"
expected='Berlin by hours: Local time is ambiguous | 02:00+02:00 02:00+01:00
Berlin by quarters: Local time is ambiguous | 02:15+02:00 02:15+01:00
Lord Howe by hours: Local time does not exist | 02:30+11:00
Berlin by days: 00:00+02:00 00:00+02:00 | 00:00+02:00 00:00+02:00'
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
