"""Users with a trusted gateway of any profile and a token."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ..cli_user import CliUser


@pytest.fixture
def create_ready_user(create_user: Callable[..., CliUser]) -> Callable[..., CliUser]:
    """Return a function that creates a user with a trusted gateway and a token."""

    def create(profile: str = "three-phase", **options: Any) -> CliUser:
        user = create_user(profile, **options)
        user.trust_gateway()
        user.write_settings(gateway_token=user.simulator.token())
        return user

    return create


@pytest.fixture
def create_still_user(create_ready_user: Callable[..., CliUser]) -> Callable[..., CliUser]:
    """Return such a function for a house whose time stands still, so that all answers have one time."""
    return partial(create_ready_user, speed=1e-6)
