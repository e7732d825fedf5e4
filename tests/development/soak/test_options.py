"""The options of the soak test."""

import subprocess
import sys
from pathlib import Path

import pytest

from development.soak.faults import FAULTS
from development.soak.options import KINDS, parse_arguments
from development.steps import PROJECT


def test_help_describes_each_kind_of_fault_without_any_installed_package() -> None:
    shown = subprocess.run(
        [sys.executable, "-S", PROJECT / "scripts" / "soak", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "scripts/soak --minutes 1" in shown.stdout
    assert all(f"  {name} " in shown.stdout for name in KINDS)


def test_each_described_kind_exists() -> None:
    assert list(FAULTS) == list(KINDS)


def test_a_seed_is_chosen_unless_one_is_given() -> None:
    assert parse_arguments(["--seed", "7"]).seed == 7
    assert isinstance(parse_arguments([]).seed, int)


def test_a_folder_with_files_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        parse_arguments(["--folder", str(tmp_path)])
    assert ended.value.code == 2
    assert "is not empty" in capsys.readouterr().err
