"""Fixtures of the commands that store readings. Each test module defines its own `create_storing`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def lite(create_storing: Callable[..., Any], tmp_path: Path) -> Any:
    """Return the command, set up with an SQLite file."""
    return create_storing(f"sqlite:///{tmp_path / 'lite.db'}")


@pytest.fixture
def maria(create_storing: Callable[..., Any], mariadb_url: str) -> Any:
    """Return the command, set up with a MariaDB database."""
    return create_storing(mariadb_url)
