"""Some hundred inputs for each parser of foreign input: each is parsed or rejected."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enphase_api import json_values
from enphase_companion.runtime import redaction

from .inputs import FRAGMENTS
from .targets import TARGETS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning"),
]


@pytest.fixture(autouse=True)
def reset_process_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reset the known secrets and logged reasons, which otherwise last for the process."""
    monkeypatch.setattr(redaction, "_known", {})
    monkeypatch.setattr(json_values, "_logged", set())


@pytest.mark.parametrize("name", TARGETS)
def test_foreign_input_is_parsed_or_rejected(name: str) -> None:
    target = TARGETS[name]

    @settings(
        max_examples=target.examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs)
    def run_target(body: bytes) -> None:
        target.run(body)

    run_target()


@pytest.mark.parametrize("name", sorted({*TARGETS} - {"properties"}))
def test_meaningless_bytes_are_rejected(name: str) -> None:
    @settings(max_examples=TARGETS[name].examples // 2, deadline=None, derandomize=True, database=None)
    @given(st.binary(max_size=40) | st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(b"".join))
    def run_target(body: bytes) -> None:
        TARGETS[name].run(body)

    run_target()
