"""Write pages, schemas and the OpenAPI description of recordings, and say what was written."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from .answers import Outcome, Recording
from .catalogue import Endpoint
from .json_schema import JsonFile, build_file, build_schema, read_schema
from .markup import Markup
from .openapi import FILE_NAME, build_openapi
from .pages import Page, build_index, build_page, find_answers
from .writer import KEPT, Format, WriteResult, write_page

_LOGGER = logging.getLogger(__name__)

#: Folder of the schemas, in the folder of the pages.
_SCHEMAS = "schemas"


def write_output(
    endpoints: tuple[Endpoint, ...],
    recordings: Sequence[Recording],
    folder: Path,
    markup: Markup,
    *,
    overwrite: bool,
) -> list[str]:
    """Write everything to a folder; `recordings` must be anonymized. Return the lines of a summary.

    Raises OSError.
    """
    pages = [build_page(endpoint, recordings, markup) for endpoint in endpoints]
    schemas = {
        endpoint.page: build_schema(endpoint, [content for _, content in find_answers(endpoint, recordings)])
        for endpoint in endpoints
    }
    files = [build_file(page.name, schemas[page.name], page.outcome) for page in pages]
    for page in pages:
        # What is kept in its own file is kept in the description, too.
        if (
            page.outcome in KEPT
            and (kept := read_schema(folder / _SCHEMAS / f"{page.name}.json")) is not None
        ):
            schemas[page.name] = kept
    description = build_file(FILE_NAME, build_openapi(endpoints, schemas, recordings), Outcome.ANSWERED)
    index = build_index(endpoints, pages, recordings, markup)
    written = _write_files([*pages, index], folder, markup, overwrite=overwrite)
    for_programs = _write_files(files, folder / _SCHEMAS, JsonFile(), overwrite=overwrite)
    for_programs += _write_files([description], folder, JsonFile(), overwrite=overwrite)
    return [
        f"{folder}: {_format_counts(written, WriteResult)}",
        f"schemas: {_format_counts(for_programs, WriteResult)}",
        f"endpoints: {_format_counts(Counter(page.outcome for page in pages), Outcome)}",
    ]


def _write_files(
    pages: Sequence[Page], folder: Path, format_: Format, *, overwrite: bool
) -> Counter[WriteResult]:
    results: Counter[WriteResult] = Counter()
    for page in pages:
        result = write_page(page, folder, format_, overwrite=overwrite)
        results[result] += 1
        if result is WriteResult.EDITED:
            _LOGGER.warning(
                "%s: not replaced, as it was edited or not written by this command: use --overwrite to "
                "replace it",
                folder / f"{page.name}{format_.suffix}",
            )
    return results


def _format_counts(counter: Counter[Any], kinds: Iterable[Enum]) -> str:
    return ", ".join(f"{counter[kind]} {kind.value}" for kind in kinds if counter[kind])
