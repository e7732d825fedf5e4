"""Markup in the answers of a gateway has no effect on a page, as real renderers show."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from enphase_companion.endpoint_docs.markup import FORMATS, Markup

from .hostile import HARMLESS, SIGNS, hostile_texts, parse_elements, parse_listing, render_page

ASCIIDOC, MARKDOWN = FORMATS["asciidoc"], FORMATS["markdown"]
FORMS = ("json", "xml")

#: Like GitHub: with tables and inline HTML.
RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def render_markdown(text: str, form: str) -> str:
    return str(RENDERER.render(render_page(text, MARKDOWN, form)))


@settings(derandomize=True, deadline=None, max_examples=200, database=None)
@given(text=hostile_texts, form=st.sampled_from(FORMS))
@example(text="a|b`c", form="json")
@example(text="```\n# a\n<b>", form="xml")
@example(text="", form="json")
@pytest.mark.slow
def test_no_text_of_a_gateway_has_an_effect_in_markdown(text: str, form: str) -> None:
    html = render_markdown(text, form)
    assert parse_elements(html) == parse_elements(render_markdown(HARMLESS, form))
    if form == "json":
        assert json.loads(parse_listing(html))["list"] == [text]


@pytest.mark.parametrize("sign", SIGNS)
def test_special_characters_have_no_effect_in_markdown(sign: str) -> None:
    for form in FORMS:
        assert parse_elements(render_markdown(sign, form)) == parse_elements(render_markdown(HARMLESS, form))


@pytest.mark.services("asciidoctor")
def test_no_text_of_a_gateway_has_an_effect_in_asciidoc(tmp_path: Path) -> None:
    chance = random.Random(10)
    mixed = ["".join(chance.choices(SIGNS, k=chance.randint(2, 5))) for _ in range(100)]
    pages = {}
    for number, text in enumerate((HARMLESS, *SIGNS, *mixed)):
        for form in FORMS:
            pages[file := tmp_path / f"{number:03}.{form}.adoc"] = text, form
            file.write_text(render_page(text, ASCIIDOC, form))
    # Unsafe mode enables all directives and macros.
    command = ["asciidoctor", "--safe-mode", "unsafe", "--embedded", *(str(each) for each in pages)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    html = {file: file.with_suffix(".html").read_text() for file in pages}
    harmless = {form: parse_elements(html[tmp_path / f"000.{form}.adoc"]) for form in FORMS}
    assert [
        text for file, (text, form) in pages.items() if parse_elements(html[file]) != harmless[form]
    ] == []
    answers = {
        file: json.loads(parse_listing(html[file])) for file, (_, form) in pages.items() if form == "json"
    }
    assert [pages[file][0] for file, answer in answers.items() if answer["list"] != [pages[file][0]]] == []


def test_names_are_printable_and_truncated() -> None:
    for markup in FORMATS.values():
        assert "a\\u202eb\\x1bc\\x60d" in markup.literal("a\u202eb\x1bc`d")
        assert markup.literal("").strip("`+") == '""'
        assert len(markup.literal("\x1b" * 5000)) < 300
        assert "serial_nums.{id}" in markup.literal("serial_nums.{id}"), "from the schema"


@pytest.mark.parametrize("markup", FORMATS.values(), ids=FORMATS)
def test_no_line_ends_a_listing(markup: Markup) -> None:
    lines = "````\n-----\n```\n----\ninclude::/etc/hosts[]\n\\endif::[]"
    first, *inside, last = (
        markup.code(lines, "json").removeprefix('[source,json,subs="-callouts"]\n').split("\n")
    )
    assert last not in inside
    assert first.startswith(last)
    assert all(line not in ("include::/etc/hosts[]", "\\endif::[]") for line in inside) == (
        markup is ASCIIDOC
    )
