"""Connecting to a gateway: which token is used, when it is renewed, and which errors end the run."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

import pytest

from enphase_companion import commands
from enphase_companion.commands.gateway_console import main
from enphase_companion.config import loader
from enphase_companion.simulator import Simulator
from tests.services import find_free_port

from ..cli_user import PASSWORD, USERNAME, CliUser, Result

DAY = 86400

#: All commands that connect to a gateway, with options that avoid a window.
GATEWAY_COMMANDS = {
    module.name: ("--output", "live.png") if "pyplot" in module.name else ()
    for module in iter_modules(commands.__path__)
    if module.name.startswith("gateway_")
}


def create_expired_token(user: CliUser) -> str:
    return user.simulator.token(lifetime=100 * DAY, issued_ago=101 * DAY)


def list_paths(simulator: Simulator) -> list[str]:
    return [request.path for request in simulator.requests]


def was_no_secret_sent(simulator: Simulator) -> bool:
    return not any(request.has_authorization or request.has_session for request in simulator.requests)


def assert_signed_in(result: Result) -> None:
    assert result.status == 0, result.err
    assert result.out.startswith("IQ Gateway ")


def test_a_valid_token_is_used_without_requests_to_entrez(user: CliUser) -> None:
    user.trust_gateway()
    user.write_account(gateway_token=user.simulator.token())
    assert_signed_in(user.run(main))
    assert not user.simulator.entrez_requests


@pytest.mark.parametrize("token", ["missing", "expired", "cut off"])
def test_an_invalid_token_is_renewed_and_stored(user: CliUser, token: str) -> None:
    user.trust_gateway()
    before = {
        "missing": "",
        "expired": create_expired_token(user),
        "cut off": user.simulator.token()[:60],
    }
    content = {"zebra": 7, "gateway_token": before[token], "enphase_username": USERNAME}
    hosts = {"gateway_host": user.simulator.url, "entrez_host": user.simulator.entrez_url}
    user.write_settings(**content, enphase_password=PASSWORD, **hosts)
    result = user.run(main)
    assert_signed_in(result)
    stored = user.read_settings()
    assert list(stored) == [*content, "enphase_password", *hosts]
    assert stored["gateway_token"].startswith("eyJ")
    assert {**stored, "gateway_token": before[token]} == {
        **content,
        "enphase_password": PASSWORD,
        **hosts,
    }
    assert user.file.stat().st_mode & 0o777 == 0o600
    user.simulator.entrez_requests.clear()
    assert_signed_in(user.run(main))
    assert not user.simulator.entrez_requests, "the stored token is used from then on"


def test_the_session_at_entrez_is_ended(user: CliUser) -> None:
    user.trust_gateway()
    user.write_account()
    user.run(main)
    sent = [request.path for request in user.simulator.entrez_requests if request.method == "POST"]
    assert sent == ["/login", "/entrez_tokens", "/logout"]


@pytest.mark.parametrize("path", ["/login", "/entrez_tokens"])
def test_enlighten_provides_the_token_if_entrez_fails(user: CliUser, path: str) -> None:
    user.trust_gateway()
    user.write_account()
    user.simulator.entrez.faults.set("status", path, status=403)
    assert_signed_in(user.run(main))
    assert user.read_settings()["gateway_token"].startswith("eyJ")


def test_a_token_near_its_expiry_is_renewed(user: CliUser) -> None:
    user.trust_gateway()
    old = user.simulator.token(issued_ago=340 * DAY)
    user.write_account(gateway_token=old)
    result = user.run(main)
    assert_signed_in(result)
    assert not result.err
    assert user.read_settings()["gateway_token"] != old


def test_an_installers_token_is_not_renewed_at_once(user: CliUser) -> None:
    user.trust_gateway()
    user.write_account(gateway_token=user.simulator.token("installer", issued_ago=10 * 3600))
    user.run(main)
    assert not user.simulator.entrez_requests, "a tenth of its twelve hours is not yet left"


def test_a_token_near_its_expiry_is_used_with_a_warning_while_entrez_is_down(user: CliUser) -> None:
    user.trust_gateway()
    old = user.simulator.token(issued_ago=340 * DAY)
    user.write_account(gateway_token=old)
    user.simulator.entrez.faults.set("status", status=503)
    result = user.run(main)
    assert_signed_in(result)
    assert len(result.warnings) == 1
    assert "credentials.json: gateway_token: the token ends on" in result.warnings[0]
    assert "renewal failed" in result.warnings[0]
    assert user.read_settings()["gateway_token"] == old


def test_a_token_near_its_expiry_causes_a_warning_without_an_account(user: CliUser) -> None:
    user.trust_gateway()
    user.write_settings(gateway_token=user.simulator.token(issued_ago=340 * DAY))
    result = user.run(main)
    assert_signed_in(result)
    assert "the token ends on" in result.warnings[0]
    assert "create a new one on https://entrez.enphaseenergy.com" in result.warnings[0]


def test_an_expired_token_is_an_error_without_an_account(user: CliUser) -> None:
    user.trust_gateway()
    user.write_settings(gateway_token=create_expired_token(user))
    result = user.run(main)
    assert result.status == 2
    assert f"{user.file}: gateway_token: the token expired on " in result.error
    assert "or set enphase_username and enphase_password" in result.error


@pytest.mark.parametrize("name", sorted(GATEWAY_COMMANDS))
def test_every_script_without_credentials_ends_at_once_and_names_the_files(user: CliUser, name: str) -> None:
    user.trust_gateway()
    result = user.run(import_module(f"{commands.__name__}.{name}").main, *GATEWAY_COMMANDS[name])
    assert result.status == 2
    files = f"{user.folder}/credentials_token.json, {user.folder}/credentials.json"
    assert result.err.startswith(f"error: none of these credentials files exists: {files}; ")
    assert not user.simulator.requests


@pytest.mark.parametrize("write", [CliUser.write_settings, CliUser.write_token_settings])
def test_the_token_of_an_account_is_stored_in_the_accounts_file(
    user: CliUser, write: Callable[..., None]
) -> None:
    user.trust_gateway()
    write(user, enphase_username=USERNAME, enphase_password=PASSWORD)
    assert_signed_in(user.run(main))
    assert_signed_in(user.run(main))
    assert [each.path for each in user.simulator.entrez_requests].count("/login") == 1


def test_an_expired_token_is_renewed_with_the_account_of_the_other_file(user: CliUser) -> None:
    user.trust_gateway()
    user.write_account()
    user.write_token_settings(gateway_token=create_expired_token(user))
    assert_signed_in(user.run(main))
    assert_signed_in(user.run(main))
    assert [each.path for each in user.simulator.entrez_requests].count("/login") == 1
    assert "gateway_token" not in user.read_settings(), "it replaced the old token"


def test_a_rejected_token_is_renewed_once(user: CliUser) -> None:
    stranger = Simulator("three-phase", seed=2)
    forged = stranger.token(serial_number=user.simulator.serial_number)
    user.trust_gateway()
    user.write_settings(gateway_token=forged)
    refused = user.run(main)
    assert refused.status == 2
    assert "the gateway rejects this token" in refused.error
    user.write_account(gateway_token=forged)
    assert_signed_in(user.run(main))
    assert user.read_settings()["gateway_token"] != forged


def test_a_rejected_new_token_is_an_error(user: CliUser) -> None:
    user.trust_gateway()
    user.write_account()
    user.simulator.faults.set("refuse", "/auth/check_jwt")
    result = user.run(main)
    assert result.status == 1
    assert "rejects even a new token" in result.error
    assert list_paths(user.simulator).count("/auth/check_jwt") == 1


@pytest.mark.parametrize(
    ("username", "password", "expected"),
    [
        (USERNAME, "planted-wrong", "Entrez rejects"),
        ("mfa@example.com", PASSWORD, "second factor"),
    ],
)
def test_an_account_without_a_token_is_an_error(
    user: CliUser, username: str, password: str, expected: str
) -> None:
    user.trust_gateway()
    user.write_settings(enphase_username=username, enphase_password=password)
    result = user.run(main)
    assert result.status == 1
    assert expected in result.error
    assert username not in result.err
    assert password not in result.err


def test_the_error_of_rejected_credentials_names_their_sources(user: CliUser) -> None:
    user.trust_gateway()
    user.environment["ENPHASE_PASSWORD"] = "planted-wrong"
    user.write_settings(enphase_username=USERNAME)
    message = user.run(main).error
    assert f"Entrez rejects {user.file}: enphase_username with ENPHASE_PASSWORD:" in message


def test_the_error_of_a_rejected_account_names_its_file_once(user: CliUser) -> None:
    user.trust_gateway()
    user.write_settings(enphase_username=USERNAME, enphase_password="planted-wrong")
    message = user.run(main).error
    assert f"Entrez rejects {user.file}: enphase_username with enphase_password: try them" in message


def test_the_error_without_an_internet_connection_names_the_remedy(user: CliUser) -> None:
    user.trust_gateway()
    unreachable = f"http://127.0.0.1:{find_free_port()}"
    user.write_settings(enphase_username=USERNAME, enphase_password=PASSWORD, entrez_host=unreachable)
    result = user.run(main)
    assert result.status == 1
    assert "Entrez (127.0.0.1) did not answer" in result.error
    assert "check this machine's Internet connection" in result.error


def test_an_outage_of_entrez_is_an_error_in_one_line(user: CliUser) -> None:
    user.trust_gateway()
    user.write_account()
    user.simulator.entrez.faults.set("status", status=503)
    result = user.run(main)
    assert result.status == 1
    assert "Entrez" in result.error


def test_a_token_of_another_gateway_is_neither_used_nor_replaced(user: CliUser) -> None:
    user.trust_gateway()
    foreign = user.simulator.token(serial_number="122399999999")
    user.write_account(gateway_token=foreign)
    result = user.run(main)
    assert result.status == 2
    serial_number = user.simulator.serial_number
    assert f"is {serial_number}, but {user.file}: gateway_token names 122399999999:" in result.error
    assert user.read_settings()["gateway_token"] == foreign
    assert not user.simulator.entrez_requests
    assert was_no_secret_sent(user.simulator)


def test_a_wrong_serial_number_is_an_error(user: CliUser) -> None:
    user.trust_gateway()
    user.write_account()
    user.environment["ENPHASE_GATEWAY_SERIAL_NUMBER"] = "122399999999"
    result = user.run(main)
    assert result.status == 2
    assert "ENPHASE_GATEWAY_SERIAL_NUMBER names 122399999999" in result.error
    assert was_no_secret_sent(user.simulator)


def test_a_certificate_of_another_gateway_is_an_error(user: CliUser) -> None:
    user.simulator.renew_certificate(common_name="122399999999")
    user.trust_gateway()
    user.write_account()
    result = user.run(main)
    assert result.status == 2
    assert f"its certificate ({user.certificate}) names 122399999999" in result.error
    assert was_no_secret_sent(user.simulator)


def test_nothing_is_sent_without_a_trusted_certificate_and_the_error_names_the_command(
    user: CliUser,
) -> None:
    user.write_account(gateway_token=user.simulator.token())
    result = user.run(main)
    assert result.status == 1
    assert f"{user.certificate}: the certificate of {user.simulator.url} is not trusted yet" in result.error
    assert result.error.endswith(f"enphase-gateway-console --trust --configuration {user.folder}")
    assert not user.simulator.requests
    assert not user.simulator.entrez_requests


def test_no_token_is_sent_after_the_certificate_changed(user: CliUser) -> None:
    user.trust_gateway()
    user.write_account(gateway_token=user.simulator.token())
    before = user.certificate.read_text()
    user.simulator.renew_certificate(same_key=False)
    result = user.run(main)
    assert result.status == 1
    assert f"{user.certificate}: the gateway now shows another certificate" in result.error
    assert f"(SHA-256 {user.simulator.fingerprint}, valid to 20" in result.error
    assert "trust the new one: enphase-gateway-console --trust" in result.error
    assert was_no_secret_sent(user.simulator)
    assert user.certificate.read_text() == before


def test_a_certificate_renewed_with_the_same_key_is_accepted_and_kept(user: CliUser) -> None:
    user.trust_gateway()
    user.write_account(gateway_token=user.simulator.token())
    user.simulator.renew_certificate(same_key=True, expired=False)
    assert_signed_in(user.run(main))
    assert user.certificate.read_text() == user.simulator.certificate_pem


def test_an_expired_trusted_certificate_causes_only_a_warning(user: CliUser) -> None:
    user.simulator.renew_certificate(expired=True)
    user.trust_gateway()
    user.write_account(gateway_token=user.simulator.token())
    result = user.run(main)
    assert_signed_in(result)
    assert "expired" in result.warnings[0]


def test_the_error_of_a_file_without_a_certificate_names_the_remedy(user: CliUser) -> None:
    user.certificate.write_text("")
    user.write_account()
    result = user.run(main)
    assert result.status == 1
    assert str(user.certificate) in result.error
    assert "enphase-gateway-console --trust" in result.error


def test_a_new_token_that_cannot_be_stored_is_used_with_a_warning(
    user: CliUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loader, "write_private", raise_disk_full)
    user.trust_gateway()
    user.write_account()
    result = user.run(main)
    assert_signed_in(result)
    assert "cannot be stored" in result.warnings[0]
    assert "No space left on device" in result.warnings[0]
    assert "gateway_token" not in user.read_settings()


def test_the_error_names_an_expired_token_that_precedes_the_stored_one(user: CliUser) -> None:
    user.trust_gateway()
    user.write_account()
    user.environment["ENPHASE_GATEWAY_TOKEN"] = create_expired_token(user)
    result = user.run(main)
    assert_signed_in(result)
    assert result.warnings[0].startswith("warning: ENPHASE_GATEWAY_TOKEN: ")
    assert "remove it" in result.warnings[0]


def test_all_settings_may_come_from_the_environment(user: CliUser) -> None:
    user.trust_gateway()
    user.environment |= {"ENPHASE_USERNAME": USERNAME, "ENPHASE_PASSWORD": PASSWORD}
    assert_signed_in(user.run(main))
    assert user.read_settings().keys() == {"gateway_token"}, "kept, so that not each run signs in"


def test_the_error_of_a_firmware_without_tokens_names_its_version(
    create_user: Callable[..., CliUser],
) -> None:
    user = create_user("old-firmware")
    user.trust_gateway()
    user.write_account()
    result = user.run(main)
    assert result.status == 1
    assert "firmware 5.0.62" in result.error


def test_secrets_never_appear_in_the_debug_log(user: CliUser) -> None:
    user.trust_gateway()
    old = create_expired_token(user)
    user.write_account(gateway_token=old)
    user.simulator.faults.set("status", "/ivp/meters/readings", status=503)
    result = user.run(main, "-v")
    assert result.status == 1
    assert "DEBUG" in result.err
    assert "Traceback" in result.err
    new = user.read_settings()["gateway_token"]
    sessions = user.simulator.gateway.sessions._open
    assert sessions
    for secret in (old, new, PASSWORD, USERNAME, "eyJ", *sessions):
        assert secret not in result.err
        assert secret not in result.out
