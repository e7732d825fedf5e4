"""Redaction: secrets are hidden in every line of the log, wherever they come from."""

from __future__ import annotations

import ast
import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import enphase_api
import enphase_companion
from enphase_companion.runtime import redaction
from enphase_companion.runtime.redaction import RedactingFormatter, hide, redact

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJhdWQiOiIxMjIzIn0.c2ln-bmF0_dXJl"

pytestmark = pytest.mark.usefixtures("home_folder")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"token {TOKEN} refused", "eyJ"),
        (f"'{TOKEN[:45]}", "eyJ"),
        ("Cookie: sessionId=planted-cookie; path=/", "planted"),
        ("{'sessionId': 'planted-cookie'}", "planted"),
        ("Set-Cookie: SESSION=planted-cookie", "planted"),
        ("Authorization: Bearer planted-token", "planted"),
        ("password=planted-word&x=1", "planted"),
        ('{"password": "planted-word"}', "planted"),
        ("somebody.planted+x@mail.example.com signed in", "planted"),
        ("amqp://guest:planted@localhost:5672/", "planted"),
        ("amqp://guest:plan@planted@localhost:5672/", "planted"),
        ("Authorization: Basic planted", "planted"),
        ("Cookie: a=1; b=planted", "planted"),
        ("refused: X-Auth-Token: planted", "planted"),
        ("{'amqp_password': 'planted word'}", "planted"),
        ('{"name": "password", "value": "planted"}', "planted"),
        ("pwd=planted, x=1", "planted"),
        ("pin: planted", "planted"),
        ("wifi_pass=planted", "planted"),
        ("client_secret='planted'", "planted"),
        ("code_verifier=planted", "planted"),
        ("wpa_key:planted", "planted"),
        ("<psk>planted and planted</psk>", "planted"),
        ("-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----", "planted"),
    ],
)
def test_text_that_looks_like_a_secret_is_hidden(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert "[hidden]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://envoy.local/ivp/meters/readings answered with status 200",
        "gateway 122300000001, firmware 8.2.4264",
        "configuration/credentials.json: enphase_password still has the value of the example.",
        "No session is open for session 5",
        "configuration/credentials.json: amqp_password: must be a text",
        "POST /auth/check_jwt: no answer",
        "error: key: wrong.",
        "passed: 5, shipping=1, author='Somebody', keypad=yes",
    ],
)
def test_text_that_is_no_secret_is_unchanged(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("written", ["pl&nted wörd", "pl%26nted%20w%C3%B6rd", "pl%26nted+w%C3%B6rd"])
def test_a_known_secret_is_hidden_in_every_encoding(written: str) -> None:
    hide("pl&nted wörd")
    assert redact(f"form: x={written}&y=1") == "form: x=[hidden]&y=1"


def test_the_longer_of_two_overlapping_secrets_is_hidden_completely() -> None:
    hide("planted")
    hide("planted-and-more")
    assert redact("planted-and-more") == "[hidden]"


def test_each_of_thousands_of_secrets_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", {})
    for number in range(2000):
        hide(f"planted-{number}")
    assert redact("planted-7 planted-1999, planted-19") == "[hidden] [hidden], [hidden]"


def test_a_huge_text_is_truncated() -> None:
    assert redact("x" * 50_000) == "x" * 50_000
    assert redact("x" * 200_000) == "x" * 50_000 + "…"


def test_a_log_record_hides_secrets_of_arguments_and_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hide("planted-known")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RedactingFormatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("tests.redaction")
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "propagate", False)
    try:
        raise ValueError("planted-known")
    except ValueError:
        logger.exception("for %s with %s", "planted@example.com", TOKEN)
    written = stream.getvalue()
    assert "ValueError: [hidden]" in written
    assert "for [hidden] with [hidden]" in written
    assert "planted-known" not in written
    assert "eyJ" not in written


def test_no_text_of_scripts_and_client_is_mistaken_for_a_secret() -> None:
    package, client = Path(enphase_companion.__file__).parent, Path(enphase_api.__file__).parent
    # The descriptions of settings are left out: --help prints them without redaction.
    files = {*package.rglob("*.py")} - {*package.glob("simulator/**/*.py"), package / "config/settings.py"}
    files |= {*client.rglob("*.py")} - {client / "redaction.py"}
    texts = [text for file in files for text in list_texts(ast.parse(file.read_text(encoding="utf-8")))]
    assert len(texts) > 300
    assert [text for text in texts if redact(text) != text] == []


def list_texts(tree: ast.Module) -> Iterator[str]:
    """Yield each text of several words except docstrings, with placeholders for formatted values."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            node_text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            node_text = node.value
        else:
            continue
        if " " in node_text and node_text not in docstrings:
            yield node_text
