#!/usr/bin/env bash
# duckdb 2.0.1: date_trunc('hour', …) of a time in the hour that comes twice returns a time after it.
#
# With TimeZone = Europe/Berlin, 02:20+02:00 on the day when summer time ends becomes 02:00+01:00, which is forty minutes
# later: the start of its hour lies in its future. All of the first hour is counted to the second one, so that a sum by hours
# has 24 rows for a day of 25 hours, one of them with twice the energy, and nothing warns of it. New York is the same. By
# minutes the result is right. time_bucket with an interval of an hour keeps the two hours apart, but counts in UTC: where the
# offset has half hours, its hours begin at half past. Rows that are grouped by hours of UTC and converted afterwards are
# right.
#
# Seen: Berlin: by hour 02:20+02 -> 02:00+01, by minute 02:20+02 -> 02:20+02, time_bucket 02:20+02 -> 02:00+02; New York: by
# hour 01:20-04 -> 01:00-05; Kolkata: time_bucket 10:10+05:30 -> 09:30+05:30; a day of 25 hours has 24 rows by date_trunc, one
# of them with 8 quarters, and 25 by time_bucket.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1

cat > "$folder/truncate.py" <<'PYTHON'
import duckdb

database = duckdb.connect()


def result(zone, expression, utc):
    database.execute(f"SET TimeZone = '{zone}'")
    query = f"SELECT strftime(t, '%H:%M%z'), strftime({expression}, '%H:%M%z') FROM (SELECT ?::TIMESTAMPTZ AS t)"
    return "{} -> {}".format(*database.execute(query, [f"{utc}+00"]).fetchone())


HOUR, MINUTE, BUCKET = "date_trunc('hour', t)", "date_trunc('minute', t)", "time_bucket(INTERVAL '1 hour', t)"
print("hour, Berlin:", result("Europe/Berlin", HOUR, "2026-10-25 00:20:30"))
print("minute, Berlin:", result("Europe/Berlin", MINUTE, "2026-10-25 00:20:30"))
print("time_bucket, Berlin:", result("Europe/Berlin", BUCKET, "2026-10-25 00:20:30"))
print("hour, New York:", result("America/New_York", HOUR, "2026-11-01 05:20:30"))
print("time_bucket, Kolkata:", result("Asia/Kolkata", BUCKET, "2026-11-01 04:40:30"))
database.execute("SET TimeZone = 'Europe/Berlin'")
for expression in (HOUR, BUCKET):
    rows = database.execute(
        f"SELECT {expression}, count(*) FROM (SELECT '2026-10-24 22:00+00'::TIMESTAMPTZ + to_minutes(15 * i) AS t"
        " FROM range(100) r(i)) GROUP BY 1"
    ).fetchall()
    print(f"{expression}: {len(rows)} hours, at most {max(count for _, count in rows)} quarters in one")
PYTHON

seen=$("$folder/venv/bin/python" "$folder/truncate.py")
echo "$seen"
expected="hour, Berlin: 02:20+02 -> 02:00+01
minute, Berlin: 02:20+02 -> 02:20+02
time_bucket, Berlin: 02:20+02 -> 02:00+02
hour, New York: 01:20-04 -> 01:00-05
time_bucket, Kolkata: 10:10+05:30 -> 09:30+05:30
date_trunc('hour', t): 24 hours, at most 8 quarters in one
time_bucket(INTERVAL '1 hour', t): 25 hours, at most 4 quarters in one"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
