"""The recordings of gateways in the folders that ENPHASE_RECORDINGS names: folders with a file `info`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

#: Read at import, as tests run without variables named ENPHASE_*.
_FOLDERS = [Path(each) for each in os.environ.get("ENPHASE_RECORDINGS", "").split(os.pathsep) if each]

#: Those whose values are known: tests expect them one by one.
KNOWN = (
    "7.3.466_with_cts_3phase",
    "7.6.175_standard",
    "7.6.175_with_cts",
    "8.2.127_with_3cts_and_battery_split",
    "8.2.4264_metered_noct",
    "8.3.5433_tot_is_net_cons",
)


def list_recordings() -> list[Path]:
    """Return all recordings, sorted by name; of two with the same name, that of the first folder."""
    found: dict[str, Path] = {}
    for folder in _FOLDERS:
        for info in folder.glob("*/info"):
            found.setdefault(info.parent.name, info.parent)
    return [found[name] for name in sorted(found)]


#: All recordings; a test that has none to run with is skipped by name.
RECORDINGS = list_recordings()
needs_recordings = pytest.mark.skipif(
    not RECORDINGS, reason="ENPHASE_RECORDINGS names no folder of recordings"
)


def find_recording(name: str) -> Path:
    """Return a recording; skip the test if no folder has it."""
    for folder in RECORDINGS:
        if folder.name == name:
            return folder
    pytest.skip(f"recording {name}: not in a folder that ENPHASE_RECORDINGS names")
