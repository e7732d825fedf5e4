"""What all tests share: one whose programs are missing is skipped by name, or fails where CI wants it."""

import shutil

import pytest

from tests.services import SEARCHED, unavailable


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out a test that drives a program which this machine does not have."""
    programs = {program for marker in item.iter_markers("services") for program in marker.args}
    if item.get_closest_marker("browser"):
        programs.add("chromium")
    missing = sorted(program for program in programs if not shutil.which(program, path=SEARCHED))
    if missing:
        unavailable(", ".join(missing))
