"""Tokens: their claims, and why a token cannot be used."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from enphase_api import TokenError
from enphase_api.cloud import Authentication, Token
from enphase_api.cloud.token import has_form_of_token
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.certificate import key_from_seed

DAY = 86_400


def to_spki(key: Any) -> str:
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def forge_token(**claims: Any) -> str:
    """Return a token with these claims and an invalid signature."""
    parts = [{"alg": "ES256"}, claims]
    return ".".join(
        [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        + ["AAAA"]
    )


def test_a_token_holds_its_owner_gateway_and_expiry(sim: Simulator) -> None:
    token = Token.parse(sim.token(), sim.serial_number)
    assert token.serial_number == sim.serial_number
    assert token.role == "owner"
    assert (token.expires_at - token.issued_at).days == 365
    assert token.problem is None
    token.require_valid()


@pytest.mark.parametrize(
    ("options", "wanted", "problem"),
    [
        ({"lifetime": 3600, "issued_ago": DAY}, None, "expired on"),
        ({"serial_number": "122300000009"}, "122300000001", "for gateway 122300000009, not for 122300000001"),
        ({"issued_ago": -DAY}, None, "set this machine's clock"),
    ],
    ids=["expired", "another gateway's", "from the future"],
)
def test_the_problem_of_an_unusable_token_is_named(
    options: dict[str, Any], wanted: str | None, problem: str, sim: Simulator
) -> None:
    token = Token.parse(sim.token(**options), wanted)
    with pytest.raises(TokenError, match=problem):
        token.require_valid()
    assert not Authentication.check_token_valid(sim.token(**options), wanted)


def test_a_clock_that_is_off_by_minutes_does_not_matter(sim: Simulator) -> None:
    assert Authentication.check_token_valid(sim.token(issued_ago=-300))
    assert Authentication.check_token_valid(sim.token(lifetime=DAY, issued_ago=DAY + 300))


def test_a_token_is_valid_for_any_gateway_unless_one_is_named(sim: Simulator) -> None:
    assert Authentication.check_token_valid(sim.token())
    assert Authentication.check_token_valid(sim.token(), sim.serial_number)
    assert Authentication.check_token_valid(sim.token(), int(sim.serial_number))
    assert not Authentication.check_token_valid(sim.token(), "122399999999")


def test_white_space_around_a_pasted_token_does_not_matter(sim: Simulator) -> None:
    assert Authentication.check_token_valid(f"\n  {sim.token()} \n", sim.serial_number)


def test_a_signature_is_verified_on_request(sim: Simulator) -> None:
    entrez, stranger = to_spki(sim.entrez.public_key), to_spki(key_from_seed("stranger").public_key())
    token = sim.token()
    assert Authentication.check_token_valid(token, verify_signature=True, public_key=entrez)
    assert not Authentication.check_token_valid(token, verify_signature=True, public_key=stranger)
    # The default is Entrez's key.
    assert not Authentication.check_token_valid(token, verify_signature=True)
    assert "signature" in (Token.parse(token, verify_signature=True).problem or "")


def test_a_key_of_another_kind_verifies_nothing(sim: Simulator) -> None:
    key = to_spki(rsa.generate_private_key(65537, 2048).public_key())
    assert not Authentication.check_token_valid(sim.token(), verify_signature=True, public_key=key)


def test_an_invalid_public_key_is_an_error_of_the_caller(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="key"):
        Token.parse(sim.token(), verify_signature=True, public_key="AAAA")


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
def test_only_tokens_signed_by_entrez_are_accepted(algorithm: str, sim: Simulator) -> None:
    claims = jwt.decode(sim.token(), options={"verify_signature": False})
    key = None if algorithm == "none" else "k" * 32
    token = jwt.encode(claims, key, algorithm=algorithm)  # type: ignore[arg-type]
    assert not Authentication.check_token_valid(token)
    assert not Authentication.check_token_valid(token, verify_signature=True)


def test_another_issuer_is_not_entrez() -> None:
    problem = Token.parse(forge_token(aud="1", iat=1_700_000_000, exp=4_000_000_000, iss="Entrez2")).problem
    assert problem is not None
    assert "not issued by Entrez" in problem


@pytest.mark.parametrize(
    "text",
    ["", "token", "a.b.c", "eyJ.eyJ.x\u00e9", "a.b.c\nd.e.f", f"{'a' * 9}.{'W' * 200_000}.c", "\udc80.a.b"],
    ids=["empty", "word", "no base64", "not ascii", "two", "deep", "no unicode"],
)
def test_the_error_for_an_invalid_token_does_not_repeat_it(text: str) -> None:
    with pytest.raises(TokenError, match="not a token, or only a part of one") as caught:
        Token.parse(text)
    assert caught.value.__cause__ is None
    assert not Authentication.check_token_valid(text)


def test_a_truncated_token_is_recognized(sim: Simulator) -> None:
    token = sim.token()
    with pytest.raises(TokenError):
        Token.parse(token[: token.rindex(".")])
    with pytest.raises(TokenError):
        Token.parse(token[10:])


@pytest.mark.parametrize("missing", ["aud", "iat", "exp"])
def test_a_token_without_a_required_claim_is_invalid(missing: str) -> None:
    claims = {"aud": "1", "iat": 1_700_000_000, "exp": 4_000_000_000, "iss": "Entrez"}
    del claims[missing]
    with pytest.raises(TokenError, match="names no gateway or no time"):
        Token.parse(forge_token(**claims))


def test_a_text_longer_than_any_token_is_invalid() -> None:
    assert has_form_of_token("a.b." + "c" * 7_996)
    assert not has_form_of_token("a.b." + "c" * 7_997)


@pytest.mark.parametrize("audience", ["envoy", "1" * 33, "1\x1b[2K", "[a](https://b)", "\u0661"])
def test_a_token_with_an_invalid_serial_number_is_invalid(audience: str) -> None:
    with pytest.raises(TokenError, match="names no gateway or no time") as caught:
        Token.parse(forge_token(aud=audience, iat=1_700_000_000, exp=4_000_000_000, iss="Entrez"))
    assert str(caught.value).isprintable()


def test_the_details_of_a_token_do_not_contain_the_token(sim: Simulator) -> None:
    token = sim.token()
    assert all(part not in repr(Token.parse(token)) for part in token.split("."))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.text() | st.binary().map(lambda raw: f"{raw.hex()}.{raw.hex()}.x"))
def test_any_text_is_a_token_or_a_token_error(text: str) -> None:
    with suppress(TokenError):
        Token.parse(text)


@given(st.dictionaries(st.sampled_from(["aud", "iat", "exp", "iss", "enphaseUser", "nbf"]), JSON))
def test_any_claims_are_a_token_or_a_token_error(claims: dict[str, Any]) -> None:
    with suppress(TokenError):
        Token.parse(forge_token(**claims), verify_signature=True)
