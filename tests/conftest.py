"""What all tests share: a test whose programs are missing is skipped by name, or fails where CI wants it."""

import os
import shutil

import pytest

# Debian keeps servers where only root's PATH looks.
SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose programs are missing; with REQUIRE_SERVICES=1 it fails instead."""
    programs = {program for marker in item.iter_markers("services") for program in marker.args}
    if item.get_closest_marker("browser"):
        programs.add("chromium")
    missing = sorted(program for program in programs if not shutil.which(program, path=SEARCHED))
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)}"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
