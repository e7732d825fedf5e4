"""A tag becomes a release; the workflows use actions that cannot change."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from development import release
from development.steps import PROJECT, SetUpError

WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.yml"))


@pytest.fixture
def changelog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a changelog whose newest section is that of the version, without date."""
    version = json.loads(release.MANIFEST.read_text())["version"]
    file = tmp_path / "CHANGELOG.md"
    file.write_text(
        f"# Changelog\n\n## {version} (unreleased)\n\n- New.\n\n## 0.1.0 (2026-01-31)\n\n- First.\n"
    )
    monkeypatch.setattr(release, "CHANGELOG", file)
    return file


def test_the_versions_of_the_project_agree() -> None:
    assert release.find_version() == json.loads(release.MANIFEST.read_text())["version"]


def test_the_notes_are_the_section_of_the_version(changelog: Path) -> None:
    assert release.notes(release.find_version()) == "- New.\n"


def test_another_version_in_the_changelog_is_an_error_that_names_all_three(changelog: Path) -> None:
    changelog.write_text("## 0.0.9 (2026-01-01)\n\n- Old.\n")
    with pytest.raises(SetUpError, match=r"pyproject\.toml has .*manifest\.json .*CHANGELOG\.md 0\.0\.9"):
        release.find_version()


def test_a_tag_of_another_version_is_an_error(changelog: Path) -> None:
    with pytest.raises(SetUpError, match=r"the tag is v0\.0\.1, but the version is"):
        release.check_tag("v0.0.1")


def test_a_release_without_a_date_is_an_error(changelog: Path) -> None:
    version = release.find_version()
    with pytest.raises(SetUpError, match="needs its date"):
        release.check_tag(f"v{version}")
    changelog.write_text(changelog.read_text().replace("unreleased", "2026-02-28"))
    release.check_tag(f"v{version}")


def test_the_zip_has_the_integration_at_its_top_level(tmp_path: Path) -> None:
    file = release.make_zip(tmp_path)
    assert file.name == json.loads((PROJECT / "hacs.json").read_text())["filename"]
    names = zipfile.ZipFile(file).namelist()
    assert {"manifest.json", "__init__.py", "enphase_api/__init__.py", "translations/de.json"} <= {*names}
    assert not [
        name for name in names if "__pycache__" in name or name.startswith(("/", "custom_components"))
    ]


@pytest.mark.slow
def test_the_command_makes_all_files_of_a_release(tmp_path: Path) -> None:
    command: list[str | Path] = [sys.executable, "-m", "development.release", tmp_path / "dist"]
    done = subprocess.run(
        command, cwd=PROJECT / "scripts", capture_output=True, text=True, check=False, timeout=110
    )
    assert (done.returncode, done.stderr) == (0, "")
    version = release.find_version()
    assert {Path(line).name for line in done.stdout.splitlines()} == {
        "notes.md",
        "enphase_iq_gateway.zip",
        f"enphase_iq_gateway-{version}.tar.gz",
        f"enphase_iq_gateway-{version}-py3-none-any.whl",
    }


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(workflow: Path) -> None:
    used = re.findall(r"uses: (\S+)@(\S+)(.*)", workflow.read_text())
    assert used
    for name, commit, comment in used:
        assert re.fullmatch(r"[0-9a-f]{40}", commit), name
        assert re.fullmatch(r" # (v\d+\.\d+\.\d+|main|master)", comment), name


def test_the_forms_for_issues_ask_for_version_and_warn_of_tokens() -> None:
    for name in ("integration", "scripts"):
        form = (PROJECT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text()
        assert "**No token, no password" in form
        assert re.search(r"id: version\n(.*\n)*?      required: true", form)
