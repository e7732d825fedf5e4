"""Users whose gateway always answers the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from ..cli_user import CliUser


@pytest.fixture
def create_still_user(create_ready_user: Callable[..., CliUser]) -> Callable[..., CliUser]:
    """Return `create_ready_user` for a house whose time stands still, so that all answers have one time."""
    return partial(create_ready_user, speed=1e-6)
