"""Owners of gateways of any profile who have set up everything."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ..cli_user import CliUser


@pytest.fixture
def ready(create_user: Callable[..., CliUser]) -> Callable[..., CliUser]:
    """Return what makes an owner who has trusted the gateway and has a token: `ready("battery")`."""

    def make(profile: str = "three-phase", **options: Any) -> CliUser:
        user = create_user(profile, **options)
        user.trust_gateway()
        user.write_settings(gateway_token=user.simulator.token())
        return user

    return make


@pytest.fixture
def still(ready: Callable[..., CliUser]) -> Callable[..., CliUser]:
    """Return what makes such an owner in whose house no time passes: all pages are about the same moment."""
    return partial(ready, speed=1e-6)
