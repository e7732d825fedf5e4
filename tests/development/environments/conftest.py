"""Fixtures: files of the project."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from development.steps import PROJECT


@pytest.fixture
def project() -> Path:
    return PROJECT


@pytest.fixture
def pyproject() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text())
