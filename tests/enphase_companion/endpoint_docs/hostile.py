"""Texts with markup of AsciiDoc, Markdown or HTML, and the elements of a page with them."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import strategies

from enphase_companion.endpoint_docs.answers import Answer, Outcome, Recording
from enphase_companion.endpoint_docs.catalogue import Endpoint, Safety
from enphase_companion.endpoint_docs.markup import Markup
from enphase_companion.endpoint_docs.pages import build_page
from enphase_companion.endpoint_docs.placeholders import Placeholder

HARMLESS = "whLifetime"

#: Each text is markup in one of the languages or special to one of their parsers.
SIGNS = (
    "`", "``", "```", "````", "~~~", "----", "-----", "....", "====", "****", "____", "++++", "|===", "|",
    "||", "\\", "\\|", "\\\\|", "`|`", "+", "+`", "`+", "++", "$$", "*", "**", "_", "__", "#", "##", "# ",
    "= ", "== ", "> ", "- ", "1. ", "[", "]", "[x]", "](", "![", "[[a]]", "[#a]", "<<a>>", "((a))", "(((a)))",
    "{", "}", "{id}", "{{", "}}", "{%", "{asciidoctor-version}", "{counter:a}", "{set:a:b}", "<", ">", "<b>",
    "</code>", "</td>", "<!--", "-->", "<1>", "<.>", "&", "&lt;", "&#60;", "'", '"', "~", "^", "::", ":", ";",
    "!", "%", ",", "\n", "\n\n", "\r", "\t", "\x00", "\x1b[31m", "\x85", "\u2028", "\u202e", "\u200b",
    "\ufeff", "é", "א", "\U0001f600", " ", "  ", "a", "b1", "2+", ".2+^.>s", "a| b", "include::/etc/hosts[]",
    "include::a.adoc[]", "ifdef::a[]", "endif::[]", "ifeval::[]", "link:a[b]", "image:a.png[]",
    "image::a.png[]", "pass:[<b>]", "pass:q[*a*]", "pass:", "stem:[x]", "stem:", "latexmath:[x]", "kbd:[a]",
    "xref:a[b]", "icon:a[]", "footnote:[a]", "indexterm:[a]", "mailto:a@b.example[c]", "http://a.example",
    "https://a.example[b]", "www.a.example", "a@b.example", "<http://a.example>", "[a](http://a.example)",
    "![a](http://a.example/b.png)", ":a: b", "[source]", "[NOTE]", "NOTE: ", ".title", "'''", "***", "---",
    "a::", "*a*", "_a_", "`a`", "#a#", "(C)", "->", "...",
)  # fmt: skip

hostile_texts = strategies.lists(
    strategies.one_of(strategies.sampled_from(SIGNS), strategies.text(max_size=4)), max_size=5
).map("".join)


class _Elements(HTMLParser):
    """Lists the tags of a page with their attributes, without the text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.listing: list[str] = []
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Ids are derived from the text of headings.
        names = (f"{name}={value}" for name, value in attrs if name != "id")
        self.found.append(" ".join((tag, *names)))
        self._depth += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        self.found.append(f"/{tag}")
        self._depth -= tag == "pre"

    def handle_data(self, data: str) -> None:
        if self._depth:
            self.listing.append(data)

    def handle_comment(self, data: str) -> None:
        self.found.append(f"comment {data}")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"declaration {decl}")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"instruction {data}")


def parse_elements(html: str) -> list[str]:
    """Return the elements of a page in order."""
    parser = _Elements()
    parser.feed(html)
    parser.close()
    return parser.found


def render_page(text: str, markup: Markup, form: str = "json") -> str:
    """Return a page about a gateway with this text in all possible places."""
    value = Placeholder(text)
    members = {text: value, "list": [value], "nested": {text: {"a": value}}}
    tags = {"root": {"@attribute": value, "element": value, "list": [value, {"@a": value}]}}
    answer = members if form == "json" else tags
    methods = {"GET": "owner"}
    endpoint = Endpoint("Chapter", "/path", "It answers.", methods, Safety.READS, ("test",), format=form)
    page = build_page(endpoint, [Recording(text, {"/path": Answer(Outcome.ANSWERED, answer)})], markup)
    return "\n\n".join((*page.facts, *page.example)) + "\n"


def parse_listing(html: str) -> str:
    """Return the text of the listing in a page."""
    parser = _Elements()
    parser.feed(html)
    parser.close()
    return "".join(parser.listing)
