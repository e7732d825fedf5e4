"""The English texts of the integration by their keys."""

import json
import re

from development.demo.flow import DOMAIN
from development.steps import PROJECT

_TEXTS = json.loads((PROJECT / "custom_components" / DOMAIN / "translations" / "en.json").read_text())


def text_of(key: str) -> str:
    """Return the beginning of a text, up to the first placeholder or formatting; `key` is dotted."""
    text = _TEXTS
    for part in key.split("."):
        text = text[part]
    return re.split(r"[{`\n]", text)[0].strip()


def grouped(fingerprint: str) -> str:
    """Return a fingerprint as dialogs show it: in groups of eight bytes."""
    parts = fingerprint.split(":")
    return " ".join(":".join(parts[start : start + 8]) for start in range(0, len(parts), 8))
