"""Build the documentation site: of docs/, the endpoints' catalogue and the client's docstrings.

`scripts/site` builds it; warnings, and links to pages that do not exist, are errors. `scripts/site --links`
requests each link to another site, and names those that are broken.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from sphinx.cmd.build import main as run_sphinx

from ..steps import PROJECT
from .extension import SITE

_BUILD = PROJECT / "build"
_OUTPUT = _BUILD / "site"
#: Pages outside of docs/ that link to the site.
_OUTSIDE = ("README.md", "CONTRIBUTING.md", "SECURITY.md")


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--links", action="store_true", help="check the links to other sites, by requests")
    if parser.parse_args().links:
        return _sphinx("linkcheck", _BUILD / "site-links")
    status = _sphinx("html", _OUTPUT)
    broken = list(_find_broken_links())
    print(*broken, sep="\n", end="\n" if broken else "", file=sys.stderr)
    if status or broken:
        return 1
    print(f"The site is in {_OUTPUT}: open {(_OUTPUT / 'index.html').as_uri()}")
    return 0


def _sphinx(builder: str, output: Path) -> int:
    options = [
        "--quiet",
        "--jobs",
        "auto",
        "--fail-on-warning",
        "--doctree-dir",
        str(_BUILD / "site-doctrees"),
    ]
    return run_sphinx(["--builder", builder, *options, str(PROJECT / "docs"), str(output)])


def _find_broken_links() -> Iterator[str]:
    """Yield a message for each link to this site, from a page that is no part of it, without a target."""
    for page in _OUTSIDE:
        text = (PROJECT / page).read_text(encoding="utf-8")
        for path, anchor in re.findall(rf"{re.escape(SITE)}([\w./-]*)(?:#([\w-]+))?", text):
            file = _OUTPUT / (path or "index.html")
            if not file.is_file() or (anchor and f'id="{anchor}"' not in file.read_text(encoding="utf-8")):
                yield f"{page}: the site has no {path}{anchor and f'#{anchor}'}"


if __name__ == "__main__":
    sys.exit(main())
