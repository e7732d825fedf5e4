"""Entrez's pages, which are parsed as HTML and not compared to exact texts."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enphase_api.cloud import html
from enphase_api.cloud.html import EntrezPage


@pytest.mark.parametrize(
    "field",
    [
        '<textarea name="accessToken" id="JWTToken" cols="30" rows="10" >{}</textarea>',
        "<TEXTAREA rows=10 ID=JWTToken readonly>{}</TEXTAREA>",
        '<div><textarea\n id="JWTToken"\n>\n  {}\n</textarea></div>',
        '<textarea id="other">no</textarea><textarea id="JWTToken">{}</textarea>',
        '<textarea id="JWTToken">{}',
    ],
    ids=["2023", "other order and case", "white space", "second field", "never closed"],
)
def test_a_token_is_found_in_every_notation_of_its_field(field: str) -> None:
    assert EntrezPage(field.format("eyJ.a-b_c.d").encode()).token == "eyJ.a-b_c.d"


def test_entities_in_a_token_are_decoded() -> None:
    assert EntrezPage(b'<textarea id="JWTToken">a&#45;b&#x2e;c&amp;</textarea>').token == "a-b.c&"


def test_a_page_without_the_field_has_no_token() -> None:
    assert EntrezPage(b'<p id="JWTToken">eyJ.a.b</p>').token is None


def test_the_visible_text_does_not_include_scripts() -> None:
    page = EntrezPage(
        b"<style>.mfa {}</style><script>var otp = '<input type=\"password\">';</script><p>Hello</p>"
    )
    assert not page.asks_second_factor
    assert not page.asks_password


@pytest.mark.parametrize("word", ["codeChallenge", "option", "Smfany", "potpie", "factory"])
def test_unrelated_words_do_not_count_as_a_second_factor(word: str) -> None:
    assert not EntrezPage(f'<input name="{word}"><p>{word}</p>'.encode()).asks_second_factor


def test_the_hidden_fields_of_a_form_are_those_a_browser_sends() -> None:
    page = EntrezPage(
        b'<input type="hidden" name="outside" value="no">'
        b'<FORM Action="/login"><input type=HIDDEN name=_csrf value="a&amp;b"><input type="text" name="seen">'
        b'<input type="text" name="codeChallenge" hidden=true><input type="hidden" value="nameless">'
        b'<input type="password" name="password"></FORM>'
        b'<form action="/logout"><input type="hidden" name="_csrf" value="c"></form>'
    )
    login, logout = page.forms
    assert (login.action, login.hidden, login.asks_password) == (
        "/login",
        {"_csrf": "a&b", "codeChallenge": ""},
        True,
    )
    assert (logout.action, logout.hidden, logout.asks_password) == ("/logout", {"_csrf": "c"}, False)


@given(st.binary() | st.text(alphabet="<>!-[]?&#;/ =\"'atexrJWToken").map(str.encode))
def test_no_page_breaks_the_reader(body: bytes) -> None:
    page = EntrezPage(body)
    assert page.token is None or isinstance(page.token, str)


def test_broken_markup_keeps_the_preceding_fields() -> None:
    assert EntrezPage(b'<textarea id="JWTToken">a.b.c</textarea><![bad[ <p>').token == "a.b.c"


@pytest.mark.parametrize(
    "body",
    [
        b'<!-- <input type="password"> <textarea id="JWTToken">no</textarea> -->',
        b"<!-- <!-- <input type=password> -->",
        b"<p>a</p><!-- never closed <input type=password>",
        b"<title><input type=password></title>",
        b"<textarea><input type=password></textarea>",
    ],
    ids=["comment", "comment in a comment", "open comment", "title", "textarea"],
)
def test_comments_and_text_hold_no_fields(body: bytes) -> None:
    page = EntrezPage(body)
    assert (page.token, page.asks_password) == (None, False)


def test_a_comment_in_a_script_does_not_hide_the_following_fields() -> None:
    assert (
        EntrezPage(b'<script>var a = "<!--";</script><textarea id="JWTToken">a.b.c</textarea>').token
        == "a.b.c"
    )


def test_a_value_may_contain_the_end_of_a_tag() -> None:
    page = EntrezPage(b"<form action='/a>b'><input type=\"hidden\" name='x' value=\"c>d\"></form>")
    assert [(form.action, form.hidden) for form in page.forms] == [("/a>b", {"x": "c>d"})]


def test_an_entity_of_thousands_of_digits_is_text() -> None:
    assert not EntrezPage(b"<p>&#" + b"1" * 5000 + b";</p><a href='&#x" + b"1" * 5000 + b"'>").asks_password


#: Fragments that a parser with look-ahead would read again from each of their starts.
BEGINNINGS = [
    "<",
    "<a",
    "</",
    "<a ",
    "<!--",
    "<!",
    "<?",
    "<a '",
    '<a "',
    "<a b=",
    "<a/",
    "&",
    "&#1",
    "<script>",
]


@pytest.mark.parametrize("text", BEGINNINGS)
def test_each_part_of_a_page_is_read_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    searches, looked_at = [], []

    class CountingText(str):
        __slots__ = ()

        def find(self, *args: Any) -> int:
            looked_at.append(args)
            return super().find(*args)

    real = html._MARKUP

    def search(text: str, position: int) -> re.Match[str] | None:
        searches.append(position)
        return real.search(text, position)

    monkeypatch.setattr(html, "_MARKUP", Mock(search=search))
    page = EntrezPage(b"")
    searches.clear()
    page._read(CountingText(text * 2_000))
    # Positions only increase, and the missing end of the comment is searched once.
    assert searches == sorted(set(searches))
    assert len(looked_at) <= 1


def test_no_pattern_of_a_page_backtracks() -> None:
    """Each repetition is possessive, so that it never backtracks."""
    for pattern in (html._MARKUP, html._ATTRIBUTE, html._UNSEEN):
        # Characters in a class are no repetition.
        outside = re.sub(r"\[\^?[^\]]*\]", "x", pattern.pattern)
        assert re.findall(r"[*+](?!\+)(?<!\+\+)(?<!\*\+)", outside) == []
