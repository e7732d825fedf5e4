"""Fixtures of the commands that store readings. Each test module defines its own `new_storing`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def lite(new_storing: Callable[..., Any], tmp_path: Path) -> Any:
    """Return the command, set up with an SQLite file."""
    return new_storing(f"sqlite:///{tmp_path / 'lite.db'}")


@pytest.fixture
def maria(new_storing: Callable[..., Any], mariadb_url: str) -> Any:
    """Return the command, set up with a MariaDB database."""
    return new_storing(mariadb_url)
