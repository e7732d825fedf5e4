"""The texts of the integration in all languages."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from custom_components.enphase_iq_gateway.const import DOMAIN

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "custom_components" / DOMAIN
TEXTS: dict[str, Any] = json.loads((FOLDER / "translations/en.json").read_text())
PLACEHOLDER = re.compile(r"\{(\w+)\}")

LANGUAGES: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text())
    for path in sorted((FOLDER / "translations").glob("*.json"))
    if path.stem != "en"
}


def leaves(tree: Any, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every text with the keys that lead to it."""
    if isinstance(tree, str):
        yield path, tree
        return
    for key, branch in tree.items():
        yield from leaves(branch, *path, key)
