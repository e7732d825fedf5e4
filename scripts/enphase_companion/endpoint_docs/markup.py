"""The two languages that pages are written in, AsciiDoc and Markdown: how each writes the parts of a page.

Names, values and answers are a gateway's, and so anybody's: nothing in them is a sign of the language, of
HTML or of what a site generator reads before both. `literal` spells such characters out, `code` closes with a
fence that its lines do not have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

#: Characters of a name; no path of a field comes near it.
_LONGEST_NAME = 256
#: What a name may not hold as it is. The rest has no meaning inside code; there too, a colon begins some of
#: AsciiDoc's macros. "{id}" is our own word for any number.
_SIGN = re.compile(
    r"(\{id\})|[^A-Za-z0-9 _./:?=&%,@#()\[\]-]|^ | $|(?<=pass):|(?<=stem):|(?<=math):", re.IGNORECASE
)
#: What AsciiDoc's reader acts on wherever a line begins with it.
_DIRECTIVE = re.compile(r"^\\*(?=(?:include|ifdef|ifndef|ifeval|endif)::)", re.MULTILINE)


class Markup(Protocol):
    """A language for pages.

    `literal` and `code` take the words of anybody, `text` the catalogue's; the others take what is in the
    language already.
    """

    ending: str

    def comment(self, text: str) -> str:
        """Return a line that is not shown."""

    def heading(self, level: int, content: str) -> str:
        """Return a heading; level 1 is the page's."""

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
        """Return a table; the widths are in parts, for a language that knows any."""

    def code(self, lines: str, language: str) -> str:
        """Return lines as they are."""

    def text(self, plain: str) -> str:
        """Return a plain text; what is between backticks in it is code."""

    def literal(self, name: str) -> str:
        """Return a name as code."""

    def link(self, page: str, content: str) -> str:
        """Return a link to a page beside this one."""


class AsciiDoc:
    """AsciiDoc."""

    ending = ".adoc"

    def comment(self, text: str) -> str:
        """Return a line that is not shown."""
        return f"// {text}"

    def heading(self, level: int, content: str) -> str:
        """Return a heading; level 1 is the page's."""
        return f"{'=' * level} {content}"

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
        """Return a table; the widths are in parts."""
        columns = ",".join(str(each) for each in widths)
        lines = [f'[cols="{columns}", options="header"]', "|===", _asciidoc_row(head), ""]
        return "\n".join([*lines, *(_asciidoc_row(row) for row in rows), "|==="])

    def code(self, lines: str, language: str) -> str:
        """Return lines as they are."""
        fence = _fence(lines, "-", 4)
        # Its reader takes directives out before it looks for blocks, and numbers in angle brackets after.
        lines = _DIRECTIVE.sub(r"\\\g<0>", lines)
        return f'[source,{language},subs="-callouts"]\n{fence}\n{lines}\n{fence}'

    def text(self, plain: str) -> str:
        """Return a plain text; what is between backticks in it is code."""
        return _with_code(plain, self.literal)

    def literal(self, name: str) -> str:
        """Return a name as code; between the pluses none of its characters has a meaning."""
        return f"`+{_spelled(name)}+`"

    def link(self, page: str, content: str) -> str:
        """Return a link to a page beside this one."""
        return f"link:{page}{self.ending}[{content}]"


class Markdown:
    """Markdown, as GitHub shows it."""

    ending = ".md"

    def comment(self, text: str) -> str:
        """Return a line that is not shown."""
        return f"<!-- {text} -->"

    def heading(self, level: int, content: str) -> str:
        """Return a heading; level 1 is the page's."""
        return f"{'#' * level} {content}"

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
        """Return a table; Markdown knows no widths."""
        lines = [head, ["---"] * len(widths), *rows]
        return "\n".join(
            "| " + " | ".join(each.replace("|", "\\|") for each in line) + " |" for line in lines
        )

    def code(self, lines: str, language: str) -> str:
        """Return lines as they are."""
        fence = _fence(lines, "`", 3)
        return f"{fence}{language}\n{lines}\n{fence}"

    def text(self, plain: str) -> str:
        """Return a plain text; what is between backticks in it is code."""
        return _with_code(plain.replace("&", "&amp;").replace("<", "&lt;"), self.literal)

    def literal(self, name: str) -> str:
        """Return a name as code."""
        return f"`{_spelled(name)}`"

    def link(self, page: str, content: str) -> str:
        """Return a link to a page beside this one."""
        return f"[{content}]({page}{self.ending})"


FORMATS: dict[str, Markup] = {"asciidoc": AsciiDoc(), "markdown": Markdown()}


def _asciidoc_row(cells: Sequence[str]) -> str:
    return " ".join("| " + cell.replace("|", "\\|") for cell in cells).rstrip()


def _with_code(plain: str, literal: Callable[[str], str]) -> str:
    return re.sub(r"`([^`]+)`", lambda found: literal(found[1]), plain)


def _spelled(name: str) -> str:
    r"""Return a name, cut where it is long, with each character that could be a sign spelled out: "\x60"."""
    if not name:
        return '""'
    text = _SIGN.sub(lambda found: found[1] or _escape(found[0]), name[: _LONGEST_NAME + 1])
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 3]}..."


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else character.encode("unicode_escape").decode("ascii")


def _fence(lines: str, sign: str, shortest: int) -> str:
    """Return a fence that is longer than any run of its sign in these lines."""
    longest = max((len(found[0]) for found in re.finditer(f"{re.escape(sign)}+", lines)), default=0)
    return sign * max(shortest, longest + 1)
