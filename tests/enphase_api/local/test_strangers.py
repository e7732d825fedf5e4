"""Peers that answer /info with too much, too slowly or too deep are rejected before trust."""

from __future__ import annotations

import pytest

from development.benchmarks.strangers import KINDS, Stranger, listen_on_loopback
from enphase_api import EnphaseError
from enphase_api.local import Gateway


@pytest.mark.parametrize("kind", KINDS)
async def test_only_an_info_answer_within_the_limits_is_accepted(kind: str) -> None:
    stranger = Stranger(kind, "122400000007", 0.2)
    with listen_on_loopback([stranger]) as [port]:
        try:
            info = await Gateway(f"https://127.0.0.1:{port}", cert_file=None).info()
        except EnphaseError:
            is_taken = False
        else:
            is_taken = info.serial_number == stranger.serial_number
    assert is_taken == (kind in ("gateway", "impostor", "certificate", "at_limit"))
