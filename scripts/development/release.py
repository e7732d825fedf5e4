"""Make a release's files: a zip for HACS, sdist, wheel, and the changelog's text for this version.

    export PYTHONPATH=scripts
    python3 -m development.release --tag v1.2.3 dist    after the tag; fails unless all versions are 1.2.3
    python3 -m development.release dist                 before: what the release would contain

Needs only Python 3.9 or newer; uv is installed where it is missing.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zipfile
from pathlib import Path

from .steps import PROJECT, SetUpError, run
from .toolchain import find_uv

INTEGRATION = PROJECT / "custom_components" / "enphase_iq_gateway"
MANIFEST = INTEGRATION / "manifest.json"
CHANGELOG = PROJECT / "CHANGELOG.md"
UNRELEASED = "unreleased"


def find_version() -> str:
    """Return the version of the project.

    Raises SetUpError unless pyproject.toml, manifest and newest section of the changelog have the same.
    """
    # There is no tomllib before Python 3.11.
    [project] = re.findall(r'^version = "([^"]+)"', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)
    manifest = json.loads(MANIFEST.read_text())["version"]
    section = next(iter(_sections()), "none")
    if not project == manifest == section:
        raise SetUpError(
            f"one version is expected: pyproject.toml has {project}, manifest.json {manifest}, and "
            f"the newest section of CHANGELOG.md {section}"
        )
    return str(project)


def check_tag(tag: str) -> None:
    """Raise SetUpError unless this is the tag of the version, and its section of the changelog has a date."""
    version = find_version()
    if tag != f"v{version}":
        raise SetUpError(f"the tag is {tag}, but the version is {version}: the tag must be v{version}")
    heading, _ = _sections()[version]
    if not re.search(r"\(\d{4}-\d\d-\d\d\)$", heading):
        raise SetUpError(f"CHANGELOG.md: the section of {version} needs its date: ## {version} (YYYY-MM-DD)")


def notes(version: str) -> str:
    """Return the text of a version's section of the changelog."""
    return _sections()[version][1]


def make_zip(folder: Path) -> Path:
    """Write the integration as HACS expects it: its files at the top level, and nothing else."""
    # hacs.json names this file.
    path = folder / str(json.loads((PROJECT / "hacs.json").read_text())["filename"])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(INTEGRATION.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(INTEGRATION))
    return path


def _sections() -> dict[str, tuple[str, str]]:
    """Return heading and text of each version in the changelog, newest first."""
    found = re.split(r"^## (.+)$", CHANGELOG.read_text(), flags=re.MULTILINE)[1:]
    headings, texts = found[::2], found[1::2]
    return {head.split()[0]: (head, text.strip() + "\n") for head, text in zip(headings, texts)}


def main() -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tag", help="the tag of the release: its version must be the project's")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="for the files; created if missing")
    arguments = parser.parse_args()
    try:
        version = find_version()
        if arguments.tag is not None:
            check_tag(arguments.tag)
        arguments.folder.mkdir(parents=True, exist_ok=True)
        (arguments.folder / "notes.md").write_text(notes(version))
        make_zip(arguments.folder)
        python = arguments.folder.resolve() / "python"
        run([find_uv(), "build", "--quiet", "--no-create-gitignore", "--out-dir", python, PROJECT])
    except SetUpError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    for file in sorted(path for path in arguments.folder.rglob("*") if path.is_file()):
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
