"""Entrez's pages, read by a parser of HTML and not by their exact text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enphase_api.cloud.page import Page


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
def test_a_token_is_found_however_its_field_is_written(field: str) -> None:
    assert Page(field.format("eyJ.a-b_c.d").encode()).token == "eyJ.a-b_c.d"


def test_entities_in_a_token_are_understood() -> None:
    assert Page(b'<textarea id="JWTToken">a&#45;b&#x2e;c&amp;</textarea>').token == "a-b.c&"


def test_a_page_without_the_field_has_no_token() -> None:
    assert Page(b'<p id="JWTToken">eyJ.a.b</p>').token is None


def test_a_script_is_not_what_a_person_sees() -> None:
    page = Page(b"<style>.mfa {}</style><script>var otp = '<input type=\"password\">';</script><p>Hello</p>")
    assert not page.asks_second_factor
    assert not page.asks_password


@pytest.mark.parametrize("word", ["codeChallenge", "option", "Smfany", "potpie", "factory"])
def test_words_that_only_look_like_a_second_factor_are_none(word: str) -> None:
    assert not Page(f'<input name="{word}"><p>{word}</p>'.encode()).asks_second_factor


def test_a_form_has_what_a_browser_sends_along_unseen_and_nothing_else() -> None:
    page = Page(
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
    page = Page(body)
    assert page.token is None or isinstance(page.token, str)


def test_markup_that_python_gives_up_on_keeps_what_stood_before() -> None:
    assert Page(b'<textarea id="JWTToken">a.b.c</textarea><![bad[ <p>').token == "a.b.c"
