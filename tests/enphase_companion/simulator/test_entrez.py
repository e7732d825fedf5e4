"""The simulated Entrez: sign-in, every way to get a token, and rejections."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from urllib.parse import parse_qs, urlsplit

import aiohttp
import jwt
import pytest

from enphase_companion.simulator import Simulator
from enphase_companion.simulator.entrez import MFA_USERNAME
from enphase_companion.simulator.sessions import TOKENS


async def sign_in(session: aiohttp.ClientSession, simulator: Simulator, username: str | None = None) -> None:
    form = {"username": username or simulator.username, "password": simulator.password}
    async with session.post(simulator.entrez_url + "/login", data=form) as response:
        assert response.status == 200
        assert response.cookies["SESSION"].value


async def fetch_token_page(session: aiohttp.ClientSession, simulator: Simulator, **form: str) -> str:
    async with session.post(simulator.entrez_url + "/entrez_tokens", data=form) as response:
        return await response.text()


def decode_claims(simulator: Simulator, page: str) -> dict[str, object]:
    found = re.search(r'<textarea[^>]*id="JWTToken"[^>]*>([^<]+)</textarea>', page)
    assert found is not None
    return jwt.decode(
        found[1],
        simulator.entrez.public_key,
        algorithms=["ES256"],
        issuer="Entrez",
        audience=[simulator.serial_number, "un-commissioned"],
    )


async def test_an_owner_gets_a_token_for_a_year(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    await sign_in(session, simulator)
    claims = decode_claims(
        simulator, await fetch_token_page(session, simulator, serialNum=simulator.serial_number)
    )
    assert claims["aud"] == simulator.serial_number
    assert claims["enphaseUser"] == "owner"
    assert claims["username"] == simulator.username
    assert int(str(claims["exp"])) - int(str(claims["iat"])) == 365 * 86400


async def test_an_installer_gets_a_token_for_twelve_hours(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    await sign_in(session, simulator, "installer@example.com")
    claims = decode_claims(
        simulator, await fetch_token_page(session, simulator, serialNum=simulator.serial_number)
    )
    assert claims["enphaseUser"] == "installer"
    assert int(str(claims["exp"])) - int(str(claims["iat"])) == 12 * 3600


async def test_a_token_for_an_uncommissioned_gateway_has_no_serial_number(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    await sign_in(session, simulator)
    claims = decode_claims(simulator, await fetch_token_page(session, simulator, uncommissioned="true"))
    assert claims["aud"] == "un-commissioned"


async def test_another_gateways_serial_number_gets_a_page_without_token(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    await sign_in(session, simulator)
    assert "textarea" not in await fetch_token_page(session, simulator, serialNum="122399999999")


async def test_a_wrong_password_gets_the_form_again_and_an_anonymous_session(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    for form in (
        {"username": simulator.username, "password": "wrong"},
        {"username": "unknown@example.com", "password": simulator.password},
        {},
    ):
        async with session.post(simulator.entrez_url + "/login", data=form) as response:
            assert response.status == 200
            assert response.cookies["SESSION"].value
            page = await response.text()
        assert 'type="password"' in page
        assert "/entrez_tokens" not in page
    assert "textarea" not in await fetch_token_page(session, simulator, serialNum=simulator.serial_number)


async def test_an_account_with_a_second_factor_gets_a_page_that_requires_it(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    form = {"username": "mfa@example.com", "password": simulator.password}
    async with session.post(simulator.entrez_url + "/login", data=form) as response:
        assert response.status == 200
        assert not response.cookies
        assert "Multi-factor" in await response.text()


async def test_signing_out_ends_the_session(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    await sign_in(session, simulator)
    kept = {cookie.key: cookie.value for cookie in session.cookie_jar}
    async with session.post(simulator.entrez_url + "/logout") as response:
        assert response.status == 200
    async with session.post(
        simulator.entrez_url + "/entrez_tokens", data={"serialNum": simulator.serial_number}, cookies=kept
    ) as response:
        assert response.status == 401


async def test_a_signed_in_user_can_list_the_gateways_of_a_site(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    url = simulator.entrez_url + "/site/simulated%20H"
    async with session.get(url) as response:
        assert response.status == 401
    await sign_in(session, simulator)
    async with session.get(url) as response:
        [site] = await response.json()
    assert site == {"id": 1234567, "name": "Simulated house", "serial_numbers": [simulator.serial_number]}
    async with session.get(simulator.entrez_url + "/site/elsewhere") as response:
        assert await response.json() == []


async def test_a_session_of_enlighten_gets_a_token_as_text(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    url = simulator.entrez_url + "/login/login.json"
    form = {"user[email]": simulator.username, "user[password]": simulator.password}
    async with session.post(url, data={**form, "user[password]": "wrong"}) as response:
        assert response.status == 401
    async with session.post(url, data={**form, "user[email]": MFA_USERNAME}) as response:
        assert "session_id" not in await response.json()
    async with session.post(url, data=form) as response:
        session_id = (await response.json())["session_id"]
    body = {"session_id": session_id, "serial_num": simulator.serial_number, "username": simulator.username}
    async with session.post(simulator.entrez_url + "/tokens", json=body) as response:
        token = await response.text()
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == simulator.serial_number
    async with session.post(simulator.entrez_url + "/tokens", json={**body, "session_id": "x"}) as response:
        assert response.status == 403


async def test_forms_without_the_hidden_field_of_their_page_can_be_rejected(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.entrez.wants_csrf = True
    url, form = simulator.entrez_url, {"username": simulator.username, "password": simulator.password}
    async with session.post(f"{url}/login", data=form) as response:
        assert response.status == 403
    async with session.get(f"{url}/login_main_page") as response:
        form["_csrf"] = find_hidden_field(await response.text())
    async with session.post(f"{url}/login", data=form) as response:
        assert response.status == 200
    assert "Forbidden" in await fetch_token_page(session, simulator, serialNum=simulator.serial_number)
    async with session.get(f"{url}/entrez_tokens") as response:
        csrf = find_hidden_field(await response.text())
    page = await fetch_token_page(session, simulator, serialNum=simulator.serial_number, _csrf=csrf)
    assert decode_claims(simulator, page)["aud"] == simulator.serial_number


async def test_the_token_page_requires_a_sign_in(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    async with session.get(f"{simulator.entrez_url}/entrez_tokens") as response:
        assert response.status == 401


def find_hidden_field(page: str) -> str:
    found = re.search(r'name="_csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


async def fetch_code(session: aiohttp.ClientSession, simulator: Simulator, verifier: str) -> str:
    """Sign in with OAuth and return the code of the redirect."""
    digest = hashlib.sha256(verifier.encode()).digest()
    form = {
        "username": simulator.username,
        "password": simulator.password,
        "codeChallenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "redirectUri": "https://envoy.local/auth/callback",
        "client": "envoy-ui",
        "clientId": "envoy-ui-client",
        "authFlow": "oauth",
        "serialNum": simulator.serial_number,
    }
    async with session.post(simulator.entrez_url + "/login", data=form, allow_redirects=False) as response:
        assert response.status == 302
        location = urlsplit(response.headers["Location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == "https://envoy.local/auth/callback"
    return parse_qs(location.query)["code"][0]


async def test_a_code_yields_one_token_and_only_with_its_verifier(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    verifier = secrets.token_urlsafe(48)
    code = await fetch_code(session, simulator, verifier)
    form = {"code": code, "code_verifier": verifier, "grant_type": "authorization_code"}
    answers = []
    for sent in (
        form,
        form,
        {**form, "code": await fetch_code(session, simulator, verifier), "code_verifier": "x"},
    ):
        async with session.post(simulator.entrez_url + "/oauth/token", data=sent) as response:
            answers.append(await response.json())
    assert jwt.decode(answers[0]["access_token"], options={"verify_signature": False})["iss"] == "Entrez"
    assert "message" in answers[1]
    assert "message" in answers[2]


async def test_the_gateway_itself_redeems_a_code(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    verifier = secrets.token_urlsafe(48)
    body = {"code": await fetch_code(session, simulator, verifier), "code_verifier": verifier}
    async with session.post(simulator.url + "/auth/get_jwt", json=body) as response:
        token = (await response.json())["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with session.get(simulator.url + "/auth/check_jwt", headers=headers) as response:
        assert response.status == 200
    async with session.post(simulator.url + "/auth/get_jwt", json=body) as response:
        assert "message" in await response.json()


@pytest.mark.parametrize(("fault", "expected"), [("status", 503), ("html", 200)])
async def test_entrez_has_its_own_faults(
    simulator: Simulator, session: aiohttp.ClientSession, fault: str, expected: int
) -> None:
    simulator.entrez.faults.set(fault, path="/entrez_tokens")
    await sign_in(session, simulator)
    async with session.post(
        simulator.entrez_url + "/entrez_tokens", data={"serialNum": simulator.serial_number}
    ) as response:
        assert response.status == expected
        assert "textarea" not in await response.text()
    async with session.get(simulator.url + "/info") as response:
        assert response.status == 200


async def test_entrez_can_be_down_slow_or_redirect(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    faults, url = simulator.entrez.faults, simulator.entrez_url + "/login"
    faults.set("reset", "/login", times=1)
    with pytest.raises(aiohttp.ClientError):
        await session.post(url)
    faults.set("slow", "/login", seconds=30, times=1)
    with pytest.raises(TimeoutError):
        await session.post(url, timeout=aiohttp.ClientTimeout(total=0.2))
    faults.set("redirect", "/login", location="https://192.0.2.1/")
    async with session.post(url, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "https://192.0.2.1/")


async def test_requests_to_entrez_are_recorded_without_secrets(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    await sign_in(session, simulator)
    await fetch_token_page(session, simulator, serialNum=simulator.serial_number)
    assert [(seen.method, seen.path, seen.has_session) for seen in simulator.entrez_requests] == [
        ("POST", "/login", False),
        ("POST", "/entrez_tokens", True),
    ]
    assert simulator.password not in repr(simulator.entrez_requests)


async def test_entrez_issues_the_configured_kind_of_token(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    await sign_in(session, simulator)
    simulator.entrez.token_kind = "other-gateway"
    claims = await fetch_token_page(session, simulator, serialNum=simulator.serial_number)
    found = re.search(r">([^<]+)</textarea>", claims)
    assert found is not None
    assert jwt.decode(found[1], options={"verify_signature": False})["aud"] == "122399999999"


async def test_the_clock_of_entrez_can_be_ahead(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    simulator.entrez.clock_offset = 300
    token = simulator.token()
    assert jwt.decode(token, options={"verify_signature": False})["iat"] > time.time() + 290
    headers = {"Authorization": f"Bearer {token}"}
    async with session.get(simulator.url + "/ivp/meters", headers=headers) as response:
        assert response.status == 200


GOOD = {"good", "installer", "ends-soon", "from-the-future"}


@pytest.mark.parametrize("kind", TOKENS)
async def test_the_gateway_accepts_valid_kinds_of_token_only(
    simulator: Simulator, session: aiohttp.ClientSession, kind: str
) -> None:
    headers = {"Authorization": f"Bearer {simulator.strange_token(kind)}"}
    async with session.get(simulator.url + "/ivp/meters", headers=headers) as response:
        assert response.status == (200 if kind in GOOD else 401)


def test_each_kind_of_token_matches_its_name(simulator: Simulator) -> None:
    tokens = {kind: simulator.strange_token(kind) for kind in TOKENS}
    readable = tokens.keys() - {"cut-short", "no-token"}
    decoded = {kind: jwt.decode(tokens[kind], options={"verify_signature": False}) for kind in readable}
    now = time.time()
    assert {kind: jwt.get_unverified_header(tokens[kind])["alg"] for kind in ("good", "hs256", "none")} == {
        "good": "ES256",
        "hs256": "HS256",
        "none": "none",
    }
    assert decoded["installer"]["enphaseUser"] == "installer"
    assert decoded["installer"]["exp"] - decoded["installer"]["iat"] == 12 * 3600
    assert decoded["other-gateway"]["aud"] != decoded["good"]["aud"] == simulator.serial_number
    assert decoded["expired"]["exp"] < now < decoded["ends-soon"]["exp"] < now + 3601
    assert decoded["from-the-future"]["iat"] > now + 290
    assert tokens["good"].split(".")[0] == tokens["cut-short"].split(".")[0]
    assert len(tokens["cut-short"]) < len(tokens["good"])
    with pytest.raises(ValueError, match="unknown token"):
        simulator.strange_token("wooden")
