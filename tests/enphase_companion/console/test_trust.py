"""Trusting a gateway: only the certificate that was shown is stored."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable

import pytest
from aiohttp import ClientTimeout

from enphase_api.local import connection, trust
from enphase_companion.commands.gateway_console import main

from ..cli_user import CliUser


def test_the_shown_certificate_is_stored_after_a_yes(user: CliUser, enter: Callable[..., None]) -> None:
    enter("yes\n")
    result = user.run(main, "--trust")
    assert result.status == 0, result.err
    simulator = user.simulator
    assert f"{simulator.url} identifies itself as this gateway:" in result.out
    assert f"Serial number          {simulator.serial_number}\n" in result.out
    assert "Firmware               8.2.4264\n" in result.out
    half = len(simulator.fingerprint) // 2 + 1
    first, second = simulator.fingerprint[:half], simulator.fingerprint[half:]
    assert f"Fingerprint (SHA-256)  {first}\n                         {second}\n" in result.out
    assert first.endswith(":"), "broken between two bytes"
    assert f"Certificate            {simulator.serial_number}\n" in result.out
    assert "Valid                  20" in result.out
    assert "Any device on your network can claim this serial number." in result.out
    assert max(map(len, result.out.split(str(user.certificate))[0].splitlines())) < 110
    assert f"It is trusted now ({user.certificate})." in result.out
    assert user.certificate.read_text() == simulator.certificate_pem
    assert user.certificate.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("typed", ["no\n", "\n", "y\n", "", "yes please\n"])
def test_nothing_is_stored_without_a_yes(user: CliUser, enter: Callable[..., None], typed: str) -> None:
    enter(typed)
    result = user.run(main, "--trust")
    assert result.status == 1
    assert result.out.endswith("Nothing was stored.\n")
    assert not list(user.folder.iterdir())


def test_a_certificate_changed_after_the_prompt_is_not_stored(
    user: CliUser, enter: Callable[..., None]
) -> None:
    shown = user.simulator.certificate_pem
    enter("yes\n", lambda: user.simulator.renew_certificate(same_key=False))
    assert user.run(main, "--trust").status == 0
    assert user.simulator.certificate_pem != shown
    assert user.certificate.read_text() == shown


def test_the_fingerprint_is_required_without_a_terminal(
    user: CliUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    result = user.run(main, "--trust")
    assert result.status == 2
    assert "--fingerprint" in result.err
    assert not user.simulator.requests
    assert not list(user.folder.iterdir())


@pytest.mark.parametrize(
    "spell", [str, str.lower, lambda text: text.replace(":", ""), lambda text: f" {text} "]
)
def test_the_correct_fingerprint_stores_the_certificate_without_a_prompt(
    user: CliUser, spell: Callable[[str], str]
) -> None:
    result = user.run(main, "--trust", "--fingerprint", spell(user.simulator.fingerprint))
    assert result.status == 0, result.err
    assert user.certificate.read_text() == user.simulator.certificate_pem


def test_a_wrong_fingerprint_stores_nothing_and_shows_the_certificate(user: CliUser) -> None:
    user.trust_gateway()
    before = user.certificate.read_text()
    fingerprint = user.simulator.fingerprint
    user.simulator.renew_certificate(same_key=False)
    result = user.run(main, "--trust", "--fingerprint", fingerprint)
    assert result.status == 1
    assert f"SHA-256 {user.simulator.fingerprint}, not the one of --fingerprint" in result.error
    assert user.certificate.read_text() == before
    assert not user.simulator.requests


def test_a_trusted_certificate_causes_no_prompt(user: CliUser, enter: Callable[..., None]) -> None:
    user.trust_gateway()
    enter("", lambda: pytest.fail("prompted"))
    result = user.run(main, "--trust")
    assert result.status == 0
    assert "It is trusted already" in result.out


def test_a_changed_certificate_is_shown_beside_the_trusted_one(
    user: CliUser, enter: Callable[..., None]
) -> None:
    user.trust_gateway()
    before = user.simulator.fingerprint
    user.simulator.renew_certificate(same_key=False)
    enter("yes\n")
    result = user.run(main, "--trust")
    assert result.status == 0
    expected = "".join(result.out.split())
    assert "oranotherdeviceanswersinitsplace" in expected
    assert f"Trusteduntilnow{before}Shownnow{user.simulator.fingerprint}Type" in expected
    assert user.certificate.read_text() == user.simulator.certificate_pem


@pytest.mark.parametrize(
    ("trusted", "expected"),
    [
        ("its own", "It claims the serial number of the trusted gateway."),
        ("122300000099", "The trusted gateway has the serial number 122300000099, this one claims another."),
    ],
)
def test_a_new_key_of_a_trusted_serial_number_is_explained(
    user: CliUser, enter: Callable[..., None], trusted: str, expected: str
) -> None:
    number = user.simulator.serial_number
    user.simulator.renew_certificate(same_key=False, common_name=number if trusted == "its own" else trusted)
    user.trust_gateway()
    before = user.certificate.read_text()
    user.simulator.renew_certificate(same_key=False)
    enter("no\n")
    result = user.run(main, "--trust")
    assert result.status == 1
    assert expected in result.out
    assert result.out.index(expected) < result.out.index("Trusted until now")
    assert user.certificate.read_text() == before
    assert not any(request.has_authorization for request in user.simulator.requests)


def test_a_renewal_with_the_trusted_key_is_explained(user: CliUser, enter: Callable[..., None]) -> None:
    user.trust_gateway()
    user.simulator.renew_certificate(same_key=True)
    enter("yes\n")
    result = user.run(main, "--trust")
    assert result.status == 0
    assert "It is a renewal, with the trusted key." in result.out
    assert "another device answers" not in result.out


def test_the_fingerprint_follows_all_texts_of_the_peer(user: CliUser, enter: Callable[..., None]) -> None:
    enter("no\n")
    shown = user.run(main, "--trust").out
    after = shown[shown.index("Fingerprint (SHA-256)") :]
    assert [word for word in after.split() if set(word) - set("0123456789ABCDEF:")] == (
        ["Fingerprint", "(SHA-256)", "Type", "yes", "to", "trust", "it:", "Nothing", "was", "stored."]
    )


@pytest.mark.parametrize(
    "name",
    [
        "\x1b[1A\x1b[2K\rFingerprint 00",
        "gateway\n  Trusted until now    00:11",
        "\u202eyawetag",
        "a\u0085b\u2028c",
        "[link](https://a.example)",
    ],
)
def test_texts_of_an_impostor_cannot_move_the_cursor_or_add_a_line(
    user: CliUser, enter: Callable[..., None], name: str
) -> None:
    user.trust_gateway()
    trusted = user.simulator.fingerprint
    enter("no\n")
    plain = user.run(main, "--trust").out.splitlines()
    assert "It is trusted already" in plain[-1]
    user.simulator.renew_certificate(same_key=False, extensions=False, common_name=name)
    shown = user.run(main, "--trust").out
    assert all(line.isprintable() for line in shown.split("\n"))
    lines = shown.splitlines()
    expected = "".join(shown.split())
    assert f"Trusteduntilnow{trusted}Shownnow{user.simulator.fingerprint}Type" in expected
    assert [line.split("  ")[1] for line in lines if line.startswith("  ") and line[2] != " "] == [
        *("Serial number", "Firmware", "Certificate", "Valid"),
        *("Trusted until now", "Shown now"),
    ]
    assert user.certificate.read_text() != user.simulator.certificate_pem


def test_a_broken_stored_certificate_is_replaced(user: CliUser) -> None:
    user.certificate.write_text("")
    assert user.run(main, "--trust", "--fingerprint", user.simulator.fingerprint).status == 0
    assert user.certificate.read_text() == user.simulator.certificate_pem


def test_an_expired_certificate_is_explained(user: CliUser, enter: Callable[..., None]) -> None:
    user.simulator.renew_certificate(expired=True)
    enter("no\n")
    assert "(expired)" in user.run(main, "--trust").out


def test_a_host_that_is_no_gateway_is_not_trusted(user: CliUser) -> None:
    user.simulator.faults.set("html", "/info")
    result = user.run(main, "--trust", "--fingerprint", user.simulator.fingerprint)
    assert result.status == 1
    assert "answers, but is not an IQ Gateway, perhaps your router" in result.error
    assert not list(user.folder.iterdir())


def test_an_unusable_certificate_is_rejected(
    user: CliUser,
) -> None:
    user.simulator.renew_certificate(for_clients=True)
    result = user.run(main, "--trust", "--fingerprint", user.simulator.fingerprint)
    assert result.status == 1
    assert "shows a certificate that cannot be trusted (unsuitable certificate purpose)" in result.error
    assert not list(user.folder.iterdir())


@pytest.mark.parametrize("arguments", [(), ("--trust", "--fingerprint", "AB" * 32)])
@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ("name", "is not known on your network: set the gateway's IP address"),
        ("port", "refuses the connection: the gateway is starting, or this is another device"),
        ("silent", "does not answer: check that the gateway has power and is on your network"),
        ("plain", "answers, but not with https, so it is another device"),
        ("html", "answers, but is not an IQ Gateway, perhaps your router"),
        ("404", "answers, but is not an IQ Gateway, perhaps your router"),
        ("503", "answers with status 503, as a gateway does while it starts: try again in a few minutes"),
        ("reset", "breaks the connection off: try again in a few minutes"),
    ],
)
def test_the_error_of_a_wrong_host_names_the_remedy(
    user: CliUser, monkeypatch: pytest.MonkeyPatch, wrong: str, advice: str, arguments: tuple[str, ...]
) -> None:
    user.trust_gateway()
    user.write_settings(gateway_token=user.simulator.token())
    simulator, host = user.simulator, user.simulator.url
    with socket.socket() as mute, socket.create_server(("127.0.0.1", 0)) as listener:
        mute.bind(("127.0.0.1", 0))
        match wrong:
            case "name":
                host = "https://gateway.invalid"
            case "port":
                host = f"https://127.0.0.1:{mute.getsockname()[1]}"
            case "silent":
                monkeypatch.setattr(connection, "TIMEOUT", ClientTimeout(total=0.3))
                monkeypatch.setattr(trust, "_TIMEOUT", 0.3)
                host = f"https://127.0.0.1:{listener.getsockname()[1]}"
            case "plain":
                host = simulator.entrez_url.replace("http://", "https://")
            case "404" | "503":
                simulator.faults.set("status", "/info", status=int(wrong))
            case _:
                simulator.faults.set(wrong, "/info")
        user.environment["ENPHASE_GATEWAY_HOST"] = host
        if arguments and host == simulator.url:
            arguments = (*arguments[:-1], simulator.fingerprint)
        result = user.run(main, *arguments)
    assert result.status == 1
    assert result.error.startswith(f"error: ENPHASE_GATEWAY_HOST: {host} {advice}")


def test_another_gateway_than_the_configured_one_is_not_trusted(user: CliUser) -> None:
    user.environment["ENPHASE_GATEWAY_SERIAL_NUMBER"] = "122399999999"
    result = user.run(main, "--trust", "--fingerprint", user.simulator.fingerprint)
    assert result.status == 2
    assert "ENPHASE_GATEWAY_SERIAL_NUMBER names 122399999999" in result.error
    assert not list(user.folder.iterdir())


def test_trusting_needs_no_account_and_sends_no_secret(user: CliUser) -> None:
    user.write_settings(enphase_password="your password", gateway_token="x")
    assert user.run(main, "--trust", "--fingerprint", user.simulator.fingerprint).status == 0
    assert [request.path for request in user.simulator.requests] == ["/info"]
    assert not user.simulator.requests[0].has_authorization
    assert not user.simulator.entrez_requests


def test_a_missing_folder_is_created(user: CliUser) -> None:
    user.folder.rmdir()
    assert user.run(main, "--trust", "--fingerprint", user.simulator.fingerprint).status == 0
    assert user.certificate.exists()
    assert user.folder.stat().st_mode & 0o777 == 0o700
