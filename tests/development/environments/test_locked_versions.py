"""The lock files have versions and hashes, and no trace of the machine that resolved them."""

import re
from pathlib import Path

import pytest

from development.steps import PROJECT

LOCK_FILES = sorted((PROJECT / "tests").glob("requirements*.txt"))


@pytest.fixture(params=LOCK_FILES, ids=lambda file: file.name)
def lock_file(request: pytest.FixtureRequest) -> Path:
    file: Path = request.param
    return file


def test_there_are_lock_files_with_and_without_home_assistant_and_of_the_site() -> None:
    names = ["requirements-docs.txt", "requirements-scripts.txt", "requirements.txt"]
    assert [file.name for file in LOCK_FILES] == names


def test_no_lock_file_names_an_index_or_a_path(lock_file: Path) -> None:
    assert not re.search(
        r"://|\s@\s|^-|^\.|^/|/(home|opt|root|tmp|usr|work)/", lock_file.read_text(), re.MULTILINE
    )


def test_every_locked_package_has_an_exact_version_and_hashes(lock_file: Path) -> None:
    requirements = lock_file.read_text().replace("\\\n", " ").splitlines()
    assert len(requirements) > 20
    for requirement in requirements:
        assert re.match(r"[\w.\[\],-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", requirement), requirement


def test_the_scripts_are_tested_without_home_assistant() -> None:
    locked = (PROJECT / "tests/requirements-scripts.txt").read_text()
    assert "voluptuous==" in locked
    assert "homeassistant" not in locked
