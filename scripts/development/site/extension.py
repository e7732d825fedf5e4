"""Sphinx extension: pages made from code, navigation from the page of contents, links out of docs/."""

from __future__ import annotations

import re
from pathlib import Path

import tomllib
from sphinx.application import Sphinx
from sphinx.config import Config

from enphase_companion.endpoint_docs.catalogue import load_catalogue
from enphase_companion.endpoint_docs.markup import FORMATS
from enphase_companion.endpoint_docs.pages import build_index, build_page

from ..steps import PROJECT

#: The client's public modules: each exports what it offers.
_MODULES = {
    "enphase_api.local": "The gateway",
    "enphase_api.models": "Answers and settings",
    "enphase_api.cloud": "Tokens and the cloud",
    "enphase_api": "Errors",
}
_URLS = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["urls"]
SITE, _REPOSITORY = _URLS["Documentation"], _URLS["Homepage"]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect this extension to Sphinx."""
    app.connect("config-inited", _write_pages)
    app.connect("source-read", _adapt)
    return {"parallel_read_safe": True}


def _write_pages(app: Sphinx, _config: Config) -> None:
    docs = Path(app.srcdir)
    markup, endpoints = FORMATS["markdown"], load_catalogue()
    pages = [build_page(endpoint, [], markup) for endpoint in endpoints]
    index = build_index(endpoints, pages, [], markup)
    texts = {page.name: "\n\n".join(page.facts) for page in pages}
    texts["index"] = "\n\n".join([*index.facts, _toctree(sorted(texts), ":hidden:")])
    _write_folder(docs / "endpoints", {f"{name}.md": text for name, text in texts.items()})
    modules = {
        f"{name}.rst": f"{title}\n{'=' * len(title)}\n\n.. automodule:: {name}\n"
        for name, title in _MODULES.items()
    }
    contents = "API reference\n=============\n\n.. toctree::\n\n" + "".join(
        f"   {title} <{name}>\n" for name, title in _MODULES.items()
    )
    _write_folder(docs / "api", {"index.rst": contents, **modules})


def _write_folder(folder: Path, files: dict[str, str]) -> None:
    """Write these files, and no other, into a folder; unchanged ones are left alone, so Sphinx skips them."""
    folder.mkdir(exist_ok=True)
    for other in {path.name for path in folder.iterdir()} - files.keys():
        (folder / other).unlink()
    for name, text in files.items():
        file = folder / name
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def _adapt(_app: Sphinx, name: str, source: list[str]) -> None:
    """Change a page's text from what GitHub needs into what Sphinx needs."""
    text = source[0]
    # Pages that only the site has are linked to by their address there.
    text = re.sub(rf"\]\({re.escape(SITE)}([\w./-]+)\.html", r"](/\1", text)
    # What is no page of the site is in the repository.
    text = re.sub(r"\]\(\.\./([^)]+)\)", rf"]({_REPOSITORY}/blob/main/\1)", text)
    # A link that shows the name of a file shows its title instead.
    text = re.sub(r"\[[\w-]+\.md\](?=\([\w-]+\.md\))", "[]", text)
    if name == "index":
        text = re.sub(r"(?ms)^## (.+?)$(.*?)(?=^## |\Z)", _with_navigation, text)
    source[0] = text


def _with_navigation(section: re.Match[str]) -> str:
    pages = re.findall(r"^- \[(.+?)\]\((.+?)\)", section[2], re.MULTILINE)
    entries = [f"{title} <{target}>" for title, target in pages]
    return section[0] + _toctree(entries, f":caption: {section[1]}", ":hidden:")


def _toctree(entries: list[str], *options: str) -> str:
    lines = "\n".join([*options, *entries])
    return f"\n```{{toctree}}\n{lines}\n```\n\n"
