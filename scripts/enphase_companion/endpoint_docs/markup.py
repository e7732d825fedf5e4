"""Render the parts of a page in a markup language: AsciiDoc or Markdown.

Names, values and answers come from a gateway, so they are untrusted: nothing in them may act as markup, HTML
or a directive of a site generator. `literal` escapes such characters, `code` uses a fence that does not occur
in its lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

#: Maximum length of a name.
_MAX_NAME_LENGTH = 256
#: Characters that are escaped in names. The others have no meaning inside code; a colon does, in some of
#: AsciiDoc's macros. "{id}" comes from the schema, the other names in braces from the catalogue's paths.
_SPECIAL = re.compile(
    r"(\{(?:id|eid|serial|profile|revision)\})"
    r"|[^A-Za-z0-9 _./:?=&%,@#()\[\]-]|^ | $|(?<=pass):|(?<=stem):|(?<=math):",
    re.IGNORECASE,
)
#: AsciiDoc processes directives at the start of any line, even in listings.
_DIRECTIVE = re.compile(r"^\\*(?=(?:include|ifdef|ifndef|ifeval|endif)::)", re.MULTILINE)


class Markup(Protocol):
    """A markup language.

    `literal` and `code` take untrusted text, `text` the catalogue's; the other methods take rendered markup.
    """

    suffix: str

    def comment(self, text: str) -> str:
        """Return a comment line."""

    def heading(self, level: int, content: str) -> str:
        """Return a heading; level 1 is the title of the page."""

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
        """Return a table with relative column widths, if the language supports them."""

    def code(self, lines: str, language: str) -> str:
        """Return a listing."""

    def text(self, plain: str) -> str:
        """Return plain text, with code between backticks."""

    def literal(self, name: str) -> str:
        """Return a name as inline code."""

    def link(self, page: str, content: str) -> str:
        """Return a link to a page in the same folder."""


class AsciiDoc:
    """AsciiDoc."""

    suffix = ".adoc"

    def comment(self, text: str) -> str:
        """Return a comment line."""
        return f"// {text}"

    def heading(self, level: int, content: str) -> str:
        """Return a heading; level 1 is the title of the page."""
        return f"{'=' * level} {content}"

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
        """Return a table with relative column widths."""
        columns = ",".join(str(each) for each in widths)
        lines = [f'[cols="{columns}", options="header"]', "|===", _asciidoc_row(head), ""]
        return "\n".join([*lines, *(_asciidoc_row(row) for row in rows), "|==="])

    def code(self, lines: str, language: str) -> str:
        """Return a listing."""
        fence = _fence(lines, "-", 4)
        # AsciiDoc processes directives before blocks, and callouts (numbers in angle brackets) after.
        lines = _DIRECTIVE.sub(r"\\\g<0>", lines)
        return f'[source,{language},subs="-callouts"]\n{fence}\n{lines}\n{fence}'

    def text(self, plain: str) -> str:
        """Return plain text, with code between backticks."""
        return _render_code(plain, self.literal)

    def literal(self, name: str) -> str:
        """Return a name as inline code; between plus signs, AsciiDoc interprets nothing."""
        return f"`+{_escape_name(name)}+`"

    def link(self, page: str, content: str) -> str:
        """Return a link to a page in the same folder."""
        return f"link:{page}{self.suffix}[{content}]"


class Markdown:
    """GitHub Flavored Markdown."""

    suffix = ".md"

    def comment(self, text: str) -> str:
        """Return a comment line."""
        return f"<!-- {text} -->"

    def heading(self, level: int, content: str) -> str:
        """Return a heading; level 1 is the title of the page."""
        return f"{'#' * level} {content}"

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
        """Return a table; Markdown has no column widths."""
        lines = [head, ["---"] * len(widths), *rows]
        return "\n".join(
            "| " + " | ".join(each.replace("|", "\\|") for each in line) + " |" for line in lines
        )

    def code(self, lines: str, language: str) -> str:
        """Return a listing."""
        fence = _fence(lines, "`", 3)
        return f"{fence}{language}\n{lines}\n{fence}"

    def text(self, plain: str) -> str:
        """Return plain text, with code between backticks."""
        return _render_code(plain.replace("&", "&amp;").replace("<", "&lt;"), self.literal)

    def literal(self, name: str) -> str:
        """Return a name as inline code."""
        return f"`{_escape_name(name)}`"

    def link(self, page: str, content: str) -> str:
        """Return a link to a page in the same folder."""
        return f"[{content}]({page}{self.suffix})"


FORMATS: dict[str, Markup] = {"asciidoc": AsciiDoc(), "markdown": Markdown()}


def _asciidoc_row(cells: Sequence[str]) -> str:
    return " ".join("| " + cell.replace("|", "\\|") for cell in cells).rstrip()


def _render_code(plain: str, literal: Callable[[str], str]) -> str:
    return re.sub(r"`([^`]+)`", lambda found: literal(found[1]), plain)


def _escape_name(name: str) -> str:
    r"""Return a name, truncated to the maximum length, with special characters escaped: "\x60"."""
    if not name:
        return '""'
    text = _SPECIAL.sub(lambda found: found[1] or _escape(found[0]), name[: _MAX_NAME_LENGTH + 1])
    return text if len(text) <= _MAX_NAME_LENGTH else f"{text[: _MAX_NAME_LENGTH - 3]}..."


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else character.encode("unicode_escape").decode("ascii")


def _fence(lines: str, character: str, minimum: int) -> str:
    """Return a fence longer than any run of its character in these lines."""
    longest = max((len(found[0]) for found in re.finditer(f"{re.escape(character)}+", lines)), default=0)
    return character * max(minimum, longest + 1)
