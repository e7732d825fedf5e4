"""Sphinx extension: pages made from code, navigation from the page of contents, links out of docs/."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import tomllib
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.logging import getLogger

from enphase_companion.endpoint_docs.catalogue import Endpoint, load_catalogue
from enphase_companion.endpoint_docs.json_schema import build_schema
from enphase_companion.endpoint_docs.markup import FORMATS
from enphase_companion.endpoint_docs.openapi import build_openapi
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
_LOGGER = getLogger(__name__)
#: What the site has besides pages; html_extra_path in docs/conf.py.
FILES = PROJECT / "build" / "site-files"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect this extension to Sphinx."""
    app.connect("config-inited", _write_pages)
    app.connect("source-read", _adapt)
    return {"parallel_read_safe": True}


def _write_pages(app: Sphinx, _config: Config) -> None:
    _write_folder(Path(app.srcdir) / "api", dict(_api_pages()))
    endpoints = load_catalogue()
    _write_folder(Path(app.srcdir) / "endpoints", dict(_endpoint_pages(endpoints)))
    schemas = {endpoint.page: build_schema(endpoint, []) for endpoint in endpoints}
    _write_folder(FILES / "endpoints", {"openapi.json": _json(build_openapi(endpoints, schemas, []))})
    _write_folder(
        FILES / "endpoints" / "schemas", {f"{name}.json": _json(schema) for name, schema in schemas.items()}
    )


def _api_pages() -> Iterator[tuple[str, str]]:
    """Yield file and text of each module's page: docstring, a table of what it exports, and all of that."""
    for name, title in _MODULES.items():
        module = import_module(name)
        parts = [title, "=" * len(title), "", f".. module:: {name}", "", module.__doc__ or "", ""]
        parts += [".. autosummary::", "   :nosignatures:", "", *(f"   {each}" for each in module.__all__), ""]
        parts += [f".. auto{_kind(getattr(module, each))}:: {each}\n" for each in module.__all__]
        yield f"{name}.rst", "\n".join(parts)
    entries = "\n".join(f"   {title} <{name}>" for name, title in _MODULES.items())
    yield "index.rst", f"API reference\n=============\n\n.. toctree::\n\n{entries}\n"


def _kind(thing: object) -> str:
    """Return the name by which Sphinx knows such an object."""
    if isinstance(thing, type):
        return "exception" if issubclass(thing, Exception) else "class"
    return "function" if callable(thing) else "data"


def _endpoint_pages(endpoints: Sequence[Endpoint]) -> Iterator[tuple[str, str]]:
    """Yield file and text of each endpoint's page, and of their index."""
    markup = FORMATS["markdown"]
    pages = [build_page(endpoint, [], markup) for endpoint in endpoints]
    for page in pages:
        schema = f"[JSON Schema]({SITE}endpoints/schemas/{page.name}.json)"
        yield f"{page.name}.md", "\n\n".join([*page.facts, schema])
    index = "\n\n".join(build_index(endpoints, pages, [], markup).facts)
    index = index.replace("`openapi.json`", f"[`openapi.json`]({SITE}endpoints/openapi.json)")
    yield "index.md", index + _toctree([page.name for page in pages], ":hidden:")


def _write_folder(folder: Path, files: dict[str, str]) -> None:
    """Write these files, and no other, into a folder; unchanged ones are left alone, so Sphinx skips them."""
    folder.mkdir(parents=True, exist_ok=True)
    for other in {path.name for path in folder.iterdir() if path.is_file()} - files.keys():
        (folder / other).unlink()
    for name, text in files.items():
        file = folder / name
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"


def _adapt(_app: Sphinx, name: str, source: list[str]) -> None:
    """Change a page's text from what GitHub needs into what Sphinx needs."""
    text = source[0]
    # Pages that only the site has are linked to by their address there.
    text = re.sub(rf"\]\({re.escape(SITE)}([\w./-]+)\.html", r"](/\1", text)
    # What is no page of the site is in the repository.
    for path in re.findall(r"\]\(\.\./([^)#]+)", text):
        if not (PROJECT / path).exists():
            _LOGGER.warning("the repository has no %s", path, location=name)
    text = text.replace("](../", f"]({_REPOSITORY}/blob/main/")
    # A link that shows the name of a file shows its title instead.
    text = re.sub(r"\[[\w-]+\.md\](?=\([\w-]+\.md[#)])", "[]", text)
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
