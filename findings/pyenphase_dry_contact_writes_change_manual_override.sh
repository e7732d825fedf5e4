#!/usr/bin/env bash
# pyenphase 4.2.0: a change of one setting of a dry contact also changes the form of its manual_override.
#
# An IQ Gateway takes the settings of a contact only as a whole, and has both overrides as text. pyenphase reads them,
# and writes override as text again, but manual_override as a JSON boolean. For a contact without manual_override, as
# early firmware has it, a manual_override "none" is added. A program that changes only load_name or soc_low this way
# sends a document of another form than it has read.
#
# Seen, the overrides that are sent:
#   read {"manual_override": "true", "override": "false"} sent {"manual_override": true, "override": "false"}
#   read {"override": "false"} sent {"manual_override": "none", "override": "false"}
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyenphase==4.2.0

cat > "$folder/dry_contacts.py" <<'PYTHON'
import json

from pyenphase.models.dry_contacts import EnvoyDryContactSettings

CONTACT = {
    "id": "NC1",
    "type": "LOAD",
    "grid_action": "apply",
    "micro_grid_action": "shed",
    "gen_action": "shed",
    "essential_start_time": 32400,
    "essential_end_time": 57600,
    "priority": 1,
    "black_s_start": 5,
    "override": "false",
    "load_name": "Pump",
    "mode": "soc",
    "soc_low": 30,
    "soc_high": 40,
    "pv_serial_nb": [],
}


def overrides(settings: dict[str, object]) -> str:
    return json.dumps({key: settings[key] for key in sorted(settings) if "override" in key})


for contact in (CONTACT | {"manual_override": "true"}, CONTACT):
    sent = EnvoyDryContactSettings.from_api(contact).to_api()
    assert {key: sent[key] for key in sent if "override" not in key} == {
        key: contact[key] for key in contact if "override" not in key
    }
    print(f"read {overrides(contact)} sent {overrides(sent)}")
PYTHON

seen=$("$folder/venv/bin/python" "$folder/dry_contacts.py")
echo "$seen"
[ "$seen" = 'read {"manual_override": "true", "override": "false"} sent {"manual_override": true, "override": "false"}
read {"override": "false"} sent {"manual_override": "none", "override": "false"}' ]
