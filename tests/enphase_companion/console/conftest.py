"""Users whose gateway always answers the same, and who type at a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import pytest

from ..cli_user import CliUser


class Terminal:
    """A terminal with typed input that runs a callback before the first read."""

    def __init__(self, typed: str, first: Callable[[], None]) -> None:
        self._typed = io.StringIO(typed)
        self._first = first

    def isatty(self) -> bool:
        return True

    def readline(self, size: int = -1) -> str:
        self._first()
        return self._typed.readline(size)


@pytest.fixture
def create_still_user(create_ready_user: Callable[..., CliUser]) -> Callable[..., CliUser]:
    """Return `create_ready_user` for a house whose time stands still, so that all answers have one time."""
    return partial(create_ready_user, speed=1e-6)


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_input(typed: str, first: Callable[[], None] = lambda: None) -> None:
        monkeypatch.setattr("sys.stdin", Terminal(typed, first))

    return set_input
