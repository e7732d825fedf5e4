"""From settings to a session: which token is used, when it is renewed, and what stops everything."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

import pytest

from enphase_companion import commands
from enphase_companion.commands.gateway_console import main
from enphase_companion.config import loader
from enphase_companion.simulator import Simulator
from tests.services import free_port

from ..cli_user import PASSWORD, USERNAME, CliUser, Result

DAY = 86400

#: All that ask a gateway, each with what keeps it from opening a window.
GATEWAY_COMMANDS = {
    module.name: ("--output", "live.png") if "pyplot" in module.name else ()
    for module in iter_modules(commands.__path__)
    if module.name.startswith("gateway_")
}


def expired(owner: CliUser) -> str:
    return owner.simulator.token(lifetime=100 * DAY, issued_ago=101 * DAY)


def paths(simulator: Simulator) -> list[str]:
    return [request.path for request in simulator.requests]


def nothing_secret_was_sent(simulator: Simulator) -> bool:
    return not any(request.has_authorization or request.has_session for request in simulator.requests)


def asserts_signed_in(result: Result) -> None:
    assert result.status == 0, result.err
    assert result.out.startswith("IQ Gateway ")


def test_a_good_token_is_used_and_entrez_left_alone(owner: CliUser) -> None:
    owner.trusts()
    owner.has_account(gateway_token=owner.simulator.token())
    asserts_signed_in(owner.runs(main))
    assert not owner.simulator.entrez_requests


@pytest.mark.parametrize("token", ["missing", "expired", "cut off"])
def test_a_token_that_is_of_no_use_is_renewed_and_stored(owner: CliUser, token: str) -> None:
    owner.trusts()
    before = {
        "missing": "",
        "expired": expired(owner),
        "cut off": owner.simulator.token()[:60],
    }
    content = {"zebra": 7, "gateway_token": before[token], "enphase_username": USERNAME}
    hosts = {"gateway_host": owner.simulator.url, "entrez_host": owner.simulator.entrez_url}
    owner.writes(**content, enphase_password=PASSWORD, **hosts)
    result = owner.runs(main)
    asserts_signed_in(result)
    stored = owner.reads()
    assert list(stored) == [*content, "enphase_password", *hosts]
    assert stored["gateway_token"].startswith("eyJ")
    assert {**stored, "gateway_token": before[token]} == {
        **content,
        "enphase_password": PASSWORD,
        **hosts,
    }
    assert owner.file.stat().st_mode & 0o777 == 0o600
    owner.simulator.entrez_requests.clear()
    asserts_signed_in(owner.runs(main))
    assert not owner.simulator.entrez_requests, "the stored token is used from then on"


def test_the_sign_in_to_entrez_is_ended(owner: CliUser) -> None:
    owner.trusts()
    owner.has_account()
    owner.runs(main)
    sent = [request.path for request in owner.simulator.entrez_requests if request.method == "POST"]
    assert sent == ["/login", "/entrez_tokens", "/logout"]


@pytest.mark.parametrize("path", ["/login", "/entrez_tokens"])
def test_where_entrez_fails_enlighten_gives_the_token(owner: CliUser, path: str) -> None:
    owner.trusts()
    owner.has_account()
    owner.simulator.entrez.faults.set("status", path, status=403)
    asserts_signed_in(owner.runs(main))
    assert owner.reads()["gateway_token"].startswith("eyJ")


def test_a_token_near_its_end_is_renewed(owner: CliUser) -> None:
    owner.trusts()
    old = owner.simulator.token(issued_ago=340 * DAY)
    owner.has_account(gateway_token=old)
    result = owner.runs(main)
    asserts_signed_in(result)
    assert not result.err
    assert owner.reads()["gateway_token"] != old


def test_an_installers_token_is_not_renewed_at_once(owner: CliUser) -> None:
    owner.trusts()
    owner.has_account(gateway_token=owner.simulator.token("installer", issued_ago=10 * 3600))
    owner.runs(main)
    assert not owner.simulator.entrez_requests, "a tenth of its twelve hours is not yet left"


def test_a_token_near_its_end_is_used_with_a_warning_while_entrez_is_down(owner: CliUser) -> None:
    owner.trusts()
    old = owner.simulator.token(issued_ago=340 * DAY)
    owner.has_account(gateway_token=old)
    owner.simulator.entrez.faults.set("status", status=503)
    result = owner.runs(main)
    asserts_signed_in(result)
    assert len(result.warnings) == 1
    assert "credentials.json: gateway_token: the token ends on" in result.warnings[0]
    assert "renewal failed" in result.warnings[0]
    assert owner.reads()["gateway_token"] == old


def test_without_an_account_a_token_near_its_end_is_warned_of(owner: CliUser) -> None:
    owner.trusts()
    owner.writes(gateway_token=owner.simulator.token(issued_ago=340 * DAY))
    result = owner.runs(main)
    asserts_signed_in(result)
    assert "the token ends on" in result.warnings[0]
    assert "create a new one on https://entrez.enphaseenergy.com" in result.warnings[0]


def test_without_an_account_an_expired_token_ends_the_run(owner: CliUser) -> None:
    owner.trusts()
    owner.writes(gateway_token=expired(owner))
    result = owner.runs(main)
    assert result.status == 2
    assert f"{owner.file}: gateway_token: the token expired on " in result.error
    assert "or set enphase_username and enphase_password" in result.error


@pytest.mark.parametrize("name", sorted(GATEWAY_COMMANDS))
def test_every_script_ends_at_once_without_credentials_and_names_the_files(owner: CliUser, name: str) -> None:
    owner.trusts()
    result = owner.runs(import_module(f"{commands.__name__}.{name}").main, *GATEWAY_COMMANDS[name])
    assert result.status == 2
    files = f"{owner.folder}/credentials_token.json, {owner.folder}/credentials.json"
    assert result.err.startswith(f"error: none of these credentials files exists: {files}; ")
    assert not owner.simulator.requests


@pytest.mark.parametrize("write", [CliUser.writes, CliUser.writes_token_file])
def test_an_account_in_either_file_gets_a_token_that_is_stored_there(
    owner: CliUser, write: Callable[..., None]
) -> None:
    owner.trusts()
    write(owner, enphase_username=USERNAME, enphase_password=PASSWORD)
    asserts_signed_in(owner.runs(main))
    asserts_signed_in(owner.runs(main))
    assert [each.path for each in owner.simulator.entrez_requests].count("/login") == 1


def test_a_token_that_has_ended_is_renewed_with_the_account_in_the_other_file(owner: CliUser) -> None:
    owner.trusts()
    owner.has_account()
    owner.writes_token_file(gateway_token=expired(owner))
    asserts_signed_in(owner.runs(main))
    asserts_signed_in(owner.runs(main))
    assert [each.path for each in owner.simulator.entrez_requests].count("/login") == 1
    assert "gateway_token" not in owner.reads(), "it took the place of the old one"


def test_a_token_that_the_gateway_refuses_is_renewed_once(owner: CliUser) -> None:
    stranger = Simulator("three-phase", seed=2)
    forged = stranger.token(serial_number=owner.simulator.serial_number)
    owner.trusts()
    owner.writes(gateway_token=forged)
    refused = owner.runs(main)
    assert refused.status == 2
    assert "the gateway rejects this token" in refused.error
    owner.has_account(gateway_token=forged)
    asserts_signed_in(owner.runs(main))
    assert owner.reads()["gateway_token"] != forged


def test_a_gateway_that_refuses_even_a_new_token_ends_the_run(owner: CliUser) -> None:
    owner.trusts()
    owner.has_account()
    owner.simulator.faults.set("refuse", "/auth/check_jwt")
    result = owner.runs(main)
    assert result.status == 1
    assert "rejects even a new token" in result.error
    assert paths(owner.simulator).count("/auth/check_jwt") == 1


@pytest.mark.parametrize(
    ("username", "password", "expected"),
    [
        (USERNAME, "planted-wrong", "Entrez rejects"),
        ("mfa@example.com", PASSWORD, "second factor"),
    ],
)
def test_an_account_that_gets_no_token_ends_the_run(
    owner: CliUser, username: str, password: str, expected: str
) -> None:
    owner.trusts()
    owner.writes(enphase_username=username, enphase_password=password)
    result = owner.runs(main)
    assert result.status == 1
    assert expected in result.error
    assert username not in result.err
    assert password not in result.err


def test_refused_credentials_are_named_by_the_places_they_stand_in(owner: CliUser) -> None:
    owner.trusts()
    owner.environment["ENPHASE_PASSWORD"] = "planted-wrong"
    owner.writes(enphase_username=USERNAME)
    message = owner.runs(main).error
    assert f"Entrez rejects {owner.file}: enphase_username with ENPHASE_PASSWORD:" in message


def test_a_refused_account_names_its_file_once(owner: CliUser) -> None:
    owner.trusts()
    owner.writes(enphase_username=USERNAME, enphase_password="planted-wrong")
    message = owner.runs(main).error
    assert f"Entrez rejects {owner.file}: enphase_username with enphase_password: try them" in message


def test_without_the_internet_it_is_said_where_to_look(owner: CliUser) -> None:
    owner.trusts()
    nobody = f"http://127.0.0.1:{free_port()}"
    owner.writes(enphase_username=USERNAME, enphase_password=PASSWORD, entrez_host=nobody)
    result = owner.runs(main)
    assert result.status == 1
    assert "Entrez (127.0.0.1) did not answer" in result.error
    assert "check this machine's Internet connection" in result.error


def test_an_outage_of_entrez_is_an_error_of_one_line(owner: CliUser) -> None:
    owner.trusts()
    owner.has_account()
    owner.simulator.entrez.faults.set("status", status=503)
    result = owner.runs(main)
    assert result.status == 1
    assert "Entrez" in result.error


def test_a_token_of_another_gateway_is_neither_used_nor_replaced(owner: CliUser) -> None:
    owner.trusts()
    foreign = owner.simulator.token(serial_number="122399999999")
    owner.has_account(gateway_token=foreign)
    result = owner.runs(main)
    assert result.status == 2
    serial_number = owner.simulator.serial_number
    assert f"is {serial_number}, but {owner.file}: gateway_token is of 122399999999:" in result.error
    assert owner.reads()["gateway_token"] == foreign
    assert not owner.simulator.entrez_requests
    assert nothing_secret_was_sent(owner.simulator)


def test_another_serial_number_than_the_gateways_ends_the_run(owner: CliUser) -> None:
    owner.trusts()
    owner.has_account()
    owner.environment["ENPHASE_GATEWAY_SERIAL_NUMBER"] = "122399999999"
    result = owner.runs(main)
    assert result.status == 2
    assert "ENPHASE_GATEWAY_SERIAL_NUMBER is of 122399999999" in result.error
    assert nothing_secret_was_sent(owner.simulator)


def test_a_certificate_of_another_gateway_ends_the_run(owner: CliUser) -> None:
    owner.simulator.renew_certificate(common_name="122399999999")
    owner.trusts()
    owner.has_account()
    result = owner.runs(main)
    assert result.status == 2
    assert f"its certificate ({owner.certificate}) is of 122399999999" in result.error
    assert nothing_secret_was_sent(owner.simulator)


def test_without_a_trusted_certificate_nothing_is_sent_and_the_error_says_how_to_trust(
    owner: CliUser,
) -> None:
    owner.has_account(gateway_token=owner.simulator.token())
    result = owner.runs(main)
    assert result.status == 1
    assert f"{owner.certificate}: the certificate of {owner.simulator.url} is not trusted yet" in result.error
    assert result.error.endswith(f"enphase-gateway-console --trust --configuration {owner.folder}")
    assert not owner.simulator.requests
    assert not owner.simulator.entrez_requests


def test_no_token_leaves_when_the_certificate_changed(owner: CliUser) -> None:
    owner.trusts()
    owner.has_account(gateway_token=owner.simulator.token())
    before = owner.certificate.read_text()
    owner.simulator.renew_certificate(same_key=False)
    result = owner.runs(main)
    assert result.status == 1
    assert f"{owner.certificate}: the gateway now shows another certificate" in result.error
    assert f"(SHA-256 {owner.simulator.fingerprint}, valid to 20" in result.error
    assert "trust the new one: enphase-gateway-console --trust" in result.error
    assert nothing_secret_was_sent(owner.simulator)
    assert owner.certificate.read_text() == before


def test_a_certificate_renewed_with_the_same_key_is_accepted_and_kept(owner: CliUser) -> None:
    owner.trusts()
    owner.has_account(gateway_token=owner.simulator.token())
    owner.simulator.renew_certificate(same_key=True, expired=False)
    asserts_signed_in(owner.runs(main))
    assert owner.certificate.read_text() == owner.simulator.certificate_pem


def test_an_expired_certificate_that_is_trusted_is_only_warned_of(owner: CliUser) -> None:
    owner.simulator.renew_certificate(expired=True)
    owner.trusts()
    owner.has_account(gateway_token=owner.simulator.token())
    result = owner.runs(main)
    asserts_signed_in(result)
    assert "expired" in result.warnings[0]


def test_a_file_that_holds_no_certificate_is_refused_with_the_cure(owner: CliUser) -> None:
    owner.certificate.write_text("")
    owner.has_account()
    result = owner.runs(main)
    assert result.status == 1
    assert str(owner.certificate) in result.error
    assert "enphase-gateway-console --trust" in result.error


def test_a_new_token_that_cannot_be_stored_is_used_with_a_warning(
    owner: CliUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loader, "write_private", full)
    owner.trusts()
    owner.has_account()
    result = owner.runs(main)
    asserts_signed_in(result)
    assert "cannot be stored" in result.warnings[0]
    assert "No space left on device" in result.warnings[0]
    assert "gateway_token" not in owner.reads()


def test_an_expired_token_that_hides_the_stored_one_is_named(owner: CliUser) -> None:
    owner.trusts()
    owner.has_account()
    owner.environment["ENPHASE_GATEWAY_TOKEN"] = expired(owner)
    result = owner.runs(main)
    asserts_signed_in(result)
    assert result.warnings[0].startswith("warning: ENPHASE_GATEWAY_TOKEN: ")
    assert "remove it" in result.warnings[0]


def test_settings_may_all_come_from_the_environment(owner: CliUser) -> None:
    owner.trusts()
    owner.environment |= {"ENPHASE_USERNAME": USERNAME, "ENPHASE_PASSWORD": PASSWORD}
    asserts_signed_in(owner.runs(main))
    assert owner.reads().keys() == {"gateway_token"}, "kept, so that not each run signs in"


def test_a_firmware_without_tokens_is_refused_with_its_version(new_owner: Callable[..., CliUser]) -> None:
    owner = new_owner("old-firmware")
    owner.trusts()
    owner.has_account()
    result = owner.runs(main)
    assert result.status == 1
    assert "firmware 5.0.62" in result.error


def test_a_debug_log_holds_no_secret(owner: CliUser) -> None:
    owner.trusts()
    old = expired(owner)
    owner.has_account(gateway_token=old)
    owner.simulator.faults.set("status", "/ivp/meters/readings", status=503)
    result = owner.runs(main, "-v")
    assert result.status == 1
    assert "DEBUG" in result.err
    assert "Traceback" in result.err
    new = owner.reads()["gateway_token"]
    sessions = owner.simulator.gateway.sessions._open
    assert sessions
    for secret in (old, new, PASSWORD, USERNAME, "eyJ", *sessions):
        assert secret not in result.err
        assert secret not in result.out
