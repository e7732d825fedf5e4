#!/usr/bin/env bash
# pyenphase 4.2.0: a change of the battery's reserve or of charging from the grid also renames the battery's mode.
#
# An IQ Gateway takes its tariff only as a whole. pyenphase builds the document anew from the keys that it knows: the
# mode "savings-mode" of older firmware is read as "economy", the newer name, and is written back as such by every
# change; an empty list seasons_sell, which gateways have, is left out, and so is any key that a newer firmware adds.
#
# Seen, after a change of the reserve only:
#   tariff without: seasons_sell; storage_settings with: mode economy, reserved_soc 30.0
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyenphase==4.2.0

cat > "$folder/tariff.py" <<'PYTHON'
from pyenphase.models.tariff import EnvoyTariff

STORAGE = {
    "mode": "savings-mode",
    "operation_mode_sub_type": "",
    "reserved_soc": 20.0,
    "very_low_soc": 5,
    "charge_from_grid": False,
    "date": "1688053811",
}
TARIFF = {
    "currency": {"code": "EUR"},
    "logger": "mylogger",
    "date": "1688053811",
    "storage_settings": STORAGE,
    "single_rate": {"rate": 0.3, "sell": 0.08},
    "seasons": [],
    "seasons_sell": [],
}

tariff = EnvoyTariff.from_api(TARIFF)
assert tariff.storage_settings is not None
tariff.storage_settings.reserved_soc = 30.0
sent = tariff.to_api()
missing = ", ".join(sorted(TARIFF.keys() - sent.keys()))
storage = sent["storage_settings"]
changed = ", ".join(f"{key} {value}" for key, value in storage.items() if value != STORAGE[key])
print(f"tariff without: {missing}; storage_settings with: {changed}")
PYTHON

seen=$("$folder/venv/bin/python" "$folder/tariff.py")
echo "pyenphase 4.2.0: $seen"
[ "$seen" = "tariff without: seasons_sell; storage_settings with: mode economy, reserved_soc 30.0" ]
