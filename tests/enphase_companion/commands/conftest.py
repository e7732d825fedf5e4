"""The commands that store readings, each with a database of either kind; each has its own `new_storing`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def lite(new_storing: Callable[..., Any], tmp_path: Path) -> Any:
    """Return the command with an SQLite file."""
    return new_storing(f"sqlite:///{tmp_path / 'lite.db'}")


@pytest.fixture
def maria(new_storing: Callable[..., Any], mariadb_url: str) -> Any:
    """Return the command with a database of a MariaDB."""
    return new_storing(mariadb_url)
