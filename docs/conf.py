"""Sphinx's configuration of the documentation site: `scripts/site` builds it.

Its pages are the Markdown files of this folder, and those that `development.site.extension` makes.
"""

import tomllib
from pathlib import Path

_PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]

project = "Enphase IQ Gateway"
author = _PROJECT["authors"][0]["name"]
project_copyright = author
release = _PROJECT["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinxcontrib.mermaid",
    "development.site.extension",
]

# Markdown as GitHub shows it: anchors of headings, diagrams, and pictures with a width.
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
myst_enable_extensions = ["html_image"]
mermaid_height = "auto"
highlight_language = "none"

# Docstrings have code between single backticks, as Markdown has.
default_role = "code"
autodoc_default_options = {
    "members": True,
    "undoc-members": True,
    # Of base classes that are no part of the public modules; not of Python's own.
    "inherited-members": "BaseException, Exception, EnphaseError, Enum, StrEnum, str, tuple, object",
}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"{project} {release}"
html_baseurl = _PROJECT["urls"]["Documentation"]
html_copy_source = False
html_logo = html_favicon = "images/icon.svg"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_extra_path = ["../build/site-files"]

# Links to this project are checked while building; GitHub makes anchors in the browser.
linkcheck_ignore = [html_baseurl, f"{_PROJECT['urls']['Homepage']}/blob/", "https://envoy.local"]
linkcheck_anchors_ignore_for_url = ["https://github.com/"]
linkcheck_timeout = 20
