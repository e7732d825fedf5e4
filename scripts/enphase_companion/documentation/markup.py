"""The two languages that pages are written in, AsciiDoc and Markdown: how each writes the parts of a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol


class Markup(Protocol):
    """A language for pages. `text` and `literal` bring plain words into it; the others take what is in it."""

    ending: str

    def comment(self, text: str) -> str:
        """Give a line that is not shown."""

    def heading(self, level: int, content: str) -> str:
        """Give a heading; level 1 is the page's."""

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
        """Give a table; the widths are in parts, for a language that knows any."""

    def code(self, lines: str, language: str) -> str:
        """Give lines as they are."""

    def text(self, plain: str) -> str:
        """Give a plain text; what is between backticks in it is code."""

    def literal(self, name: str) -> str:
        """Give a name as code."""

    def link(self, page: str, content: str) -> str:
        """Give a link to a page beside this one."""


class AsciiDoc:
    """AsciiDoc."""

    ending = ".adoc"

    def comment(self, text: str) -> str:
        """Give a line that is not shown."""
        return f"// {text}"

    def heading(self, level: int, content: str) -> str:
        """Give a heading; level 1 is the page's."""
        return f"{'=' * level} {content}"

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
        """Give a table; the widths are in parts."""
        columns = ",".join(str(each) for each in widths)
        lines = [f'[cols="{columns}", options="header"]', "|===", _asciidoc_row(head), ""]
        return "\n".join([*lines, *(_asciidoc_row(row) for row in rows), "|==="])

    def code(self, lines: str, language: str) -> str:
        """Give lines as they are."""
        return f"[source,{language}]\n----\n{lines}\n----"

    def text(self, plain: str) -> str:
        """Give a plain text; what is between backticks in it is code."""
        return _with_code(plain, self.literal)

    def literal(self, name: str) -> str:
        """Give a name as code; between the pluses nothing in it has a meaning."""
        return f"`+{name}+`"

    def link(self, page: str, content: str) -> str:
        """Give a link to a page beside this one."""
        return f"link:{page}{self.ending}[{content}]"


class Markdown:
    """Markdown, as GitHub shows it."""

    ending = ".md"

    def comment(self, text: str) -> str:
        """Give a line that is not shown."""
        return f"<!-- {text} -->"

    def heading(self, level: int, content: str) -> str:
        """Give a heading; level 1 is the page's."""
        return f"{'#' * level} {content}"

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
        """Give a table; Markdown knows no widths."""
        lines = [head, ["---"] * len(widths), *rows]
        return "\n".join(
            "| " + " | ".join(each.replace("|", "\\|") for each in line) + " |" for line in lines
        )

    def code(self, lines: str, language: str) -> str:
        """Give lines as they are."""
        return f"```{language}\n{lines}\n```"

    def text(self, plain: str) -> str:
        """Give a plain text; what is between backticks in it is code."""
        return _with_code(plain.replace("&", "&amp;").replace("<", "&lt;"), self.literal)

    def literal(self, name: str) -> str:
        """Give a name as code."""
        return f"`{name}`"

    def link(self, page: str, content: str) -> str:
        """Give a link to a page beside this one."""
        return f"[{content}]({page}{self.ending})"


FORMATS: dict[str, Markup] = {"asciidoc": AsciiDoc(), "markdown": Markdown()}


def _asciidoc_row(cells: Sequence[str]) -> str:
    return " ".join("| " + cell.replace("|", "\\|") for cell in cells).rstrip()


def _with_code(plain: str, literal: Callable[[str], str]) -> str:
    return re.sub(r"`([^`]+)`", lambda found: literal(found[1]), plain)
