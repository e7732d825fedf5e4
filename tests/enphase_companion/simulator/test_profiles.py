"""Profiles and quirks: names, combinations, and their documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from enphase_companion.simulator.faults import FAULTS
from enphase_companion.simulator.profiles import NET, PRODUCTION, PROFILES, QUIRKS, STORAGE, TOTAL, find
from enphase_companion.simulator.sessions import TOKENS

PAGE = Path(__file__).parents[3] / "docs" / "simulator.md"


@pytest.mark.parametrize(
    ("name", "metered", "disabled", "phases", "battery"),
    [
        ("no-meters", [], [], (1, 1), None),
        ("production-only", [PRODUCTION], [], (1, 1), None),
        ("single-phase", [PRODUCTION, NET], [], (1, 1), None),
        ("split-phase", [PRODUCTION, NET], [], (2, 2), None),
        ("three-phase", [PRODUCTION, NET], [], (3, 3), None),
        ("battery", [PRODUCTION, NET, STORAGE], [], (2, 2), "encharge"),
        ("no-meters-404", [], [], (1, 1), None),
        ("meters-disabled", [], [PRODUCTION, NET], (3, 3), None),
        ("one-of-three", [PRODUCTION, NET], [], (1, 3), None),
        ("total-consumption", [PRODUCTION, TOTAL], [], (3, 3), None),
        ("many-meters", [PRODUCTION, TOTAL], [STORAGE, "backfeed", "load", "evse", "pv3p", ""], (2, 2), None),
        ("battery-without-meter", [PRODUCTION, NET], [], (3, 3), "encharge"),
        ("meter-collar", [PRODUCTION, NET, STORAGE], [], (2, 2), "encharge"),
        ("storage-loses-phase", [PRODUCTION, NET, STORAGE], [], (2, 2), "encharge"),
        ("ac-batteries", [PRODUCTION, NET], [], (1, 1), "acb"),
        ("sixty-inverters", [PRODUCTION, NET], [], (3, 3), None),
        ("old-firmware", [PRODUCTION, NET], [], (1, 1), None),
    ],
)
def test_each_profile_matches_its_name(
    name: str, metered: list[str], disabled: list[str], phases: tuple[int, int], battery: str | None
) -> None:
    profile = PROFILES[name]
    assert [meter.measurement_type for meter in profile.meters if meter.enabled] == metered
    assert [meter.measurement_type for meter in profile.meters if not meter.enabled] == disabled
    assert (profile.wired, profile.phase_count) == phases
    assert (profile.battery.kind if profile.battery else None) == battery
    assert profile.firmware in profile.description
    assert profile.inverters == (60 if name == "sixty-inverters" else 12)


@pytest.mark.parametrize("quirk", QUIRKS)
def test_each_quirk_combines_with_each_profile(quirk: str) -> None:
    for name, profile in PROFILES.items():
        quirky = find(f"{name}+{quirk}")
        assert quirky.quirks == profile.quirks | {quirk}
        assert quirk in quirky.description
        assert len({meter.eid for meter in quirky.meters}) == len(quirky.meters)


def test_a_profile_can_have_several_quirks() -> None:
    quirky = find("battery+nightly-silence+reports-netted")
    assert quirky.quirks == {"nightly-silence", "reports-netted"}
    assert quirky.meters == find("battery").meters


@pytest.mark.parametrize(
    ("name", "reason"), [("castle", "unknown profile"), ("battery+castle", "unknown quirk")]
)
def test_an_unknown_profile_or_quirk_is_named_in_the_error(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"{reason} 'castle'"):
        find(name)


def test_the_documentation_lists_every_profile_quirk_fault_and_token() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in (*PROFILES, *QUIRKS, *FAULTS, *TOKENS):
        assert f"| `{name}` |" in page, name
