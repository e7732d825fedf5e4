"""The command enphase-gateway-generate-docs, against simulated gateways."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from enphase_companion.commands.gateway_generate_docs import NAME, main
from enphase_companion.endpoint_docs.catalogue import Endpoint, load_catalogue

from ..cli_user import PASSWORD, USERNAME, CliUser, Result
from ..terminal import open_terminal

pytestmark = pytest.mark.slow

QUICK = ("--delay", "0")


@pytest.fixture
def ready(create_user: Callable[..., CliUser]) -> Callable[..., CliUser]:
    """Return a function that makes an owner who trusts the gateway and has a token."""

    def make(profile: str = "battery", **options: Any) -> CliUser:
        user = create_user(profile, **options)
        user.trust_gateway()
        user.write_settings(gateway_token=user.simulator.token())
        return user

    return make


def generates(user: CliUser, *arguments: str) -> Result:
    return user.run(main, *QUICK, *arguments)


def pages(user: CliUser, ending: str = ".adoc") -> dict[str, str]:
    """Return all pages in docs/gateway, by name."""
    folder = user.home.parent / "docs" / "gateway"
    assert [each for each in folder.iterdir() if each.suffix != ending] == []
    return {each.stem: each.read_text() for each in folder.iterdir()}


def endpoint(path: str) -> Endpoint:
    return next(each for each in load_catalogue() if each.path == path)


@pytest.mark.parametrize("profile", ["battery", "no-meters", "many-meters", "ac-batteries"])
def test_each_endpoint_has_a_page_and_the_index_links_them(
    ready: Callable[..., CliUser], profile: str
) -> None:
    user = ready(profile)
    result = generates(user)
    assert (result.status, result.err) == (0, "")
    written = pages(user)
    assert written.keys() == {"README", *(each.page for each in load_catalogue())}
    assert sorted(re.findall(r"link:(\S+)\.adoc\[", written["README"])) == sorted({*written} - {"README"})
    version = user.simulator.house.profile.firmware.lstrip("D")
    assert f"firmware `+{version}+`" in written["info"]
    assert result.out.startswith(f"docs/gateway: {len(written)} new\nendpoints: ")


def test_a_page_merges_the_catalogue_with_the_answers(ready: Callable[..., CliUser]) -> None:
    user = ready("battery")
    generates(user, "--format", "markdown")
    page = pages(user, ".md")["ivp_meters_readings"]
    assert "| `activePower` | number | W | always | active power; positive: produced" in page
    assert "### `[].channels[]`" in page
    example = json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0])
    assert example[0].keys() >= {"eid", "actEnergyDlvd", "channels"}
    meters = pages(user, ".md")["ivp_meters"]
    assert "`disabled`, `enabled`" in meters
    # The simulator's /ivp/ss/pel_settings has one of the known fields.
    limits = pages(user, ".md")["ivp_ss_pel_settings"]
    assert "| `PEL` | boolean |  | always |" in limits
    assert "| `PEL_Limit` | number |  | not seen |" in limits


def test_only_safe_endpoints_are_requested_once_each_with_a_delay(ready: Callable[..., CliUser]) -> None:
    user = ready("battery")
    # An owner's token is refused by some endpoints, and the client repeats those requests.
    user.write_settings(gateway_token=user.simulator.token("installer"))
    begun = time.monotonic()
    assert user.run(main, "--delay", "0.05").status == 0
    asked = [each for each in user.simulator.requests if each.path != "/auth/check_jwt"]
    safe = [request for each in load_catalogue() for request in each.requests]
    assert {each.method for each in asked} == {"GET"}
    assert asked[0].path == "/info", "the identification comes first"
    assert len(asked[1:]) <= len(safe)
    assert {each.path for each in asked} <= {*safe}
    assert len({each.path for each in asked[1:]}) == len(asked[1:])
    assert time.monotonic() - begun >= 0.05 * len(asked[1:])


def test_unsafe_endpoints_are_never_requested() -> None:
    for path in (
        "/stream/meter",
        "/installer/pcu_comm_check",
        "/ivp/ensemble/comm_check",
        "/ivp/peb/newscan",
        "/ivp/livedata/stream",
        "/auth/check_jwt",
    ):
        assert endpoint(path).requests == ()


def test_missing_endpoints_are_documented_from_the_catalogue(ready: Callable[..., CliUser]) -> None:
    user = ready("no-meters-404")
    assert generates(user).status == 0
    page = pages(user)["ivp_meters"]
    assert "This gateway has no such endpoint" in page
    assert "| `+measurementType+` | string |" in page
    assert "== Example" not in page
    assert re.search(r"ivp_meters\.adoc\[.*\| not available \|", pages(user)["README"])


def test_a_refused_endpoint_does_not_stop_the_run(ready: Callable[..., CliUser]) -> None:
    user = ready()
    user.simulator.faults.set("refuse", "/ivp/ensemble/power")
    assert generates(user).status == 0
    assert "This gateway refuses the request with this token" in pages(user)["ivp_ensemble_power"]
    assert "== Example" in pages(user)["ivp_ensemble_secctrl"]


@pytest.mark.parametrize("fault", ["html", "truncated", "status", "reset"])
def test_an_invalid_answer_does_not_change_a_page(ready: Callable[..., CliUser], fault: str) -> None:
    user = ready()
    user.simulator.faults.set(fault, "/ivp/ensemble/secctrl")
    first = generates(user)
    assert first.status == 0
    assert len(first.warnings) == 1
    assert "/ivp/ensemble/secctrl: " in first.warnings[0]
    assert "This gateway did not answer the request." in pages(user)["ivp_ensemble_secctrl"]
    user.simulator.faults.clear()
    assert generates(user).status == 0
    good = pages(user)["ivp_ensemble_secctrl"]
    assert "== Example" in good
    user.simulator.faults.set(fault, "/ivp/ensemble/secctrl")
    assert "1 kept, as there was no answer" in generates(user).out
    assert pages(user)["ivp_ensemble_secctrl"] == good


def test_nothing_is_written_if_the_gateway_stops_answering(ready: Callable[..., CliUser]) -> None:
    user = ready()
    for each in load_catalogue():
        if each.requests and each.path != "/info":
            user.simulator.faults.set("reset", each.path)
    result = generates(user)
    assert result.status == 1
    assert "did not answer" in result.error
    assert not (user.home.parent / "docs").exists()


def test_a_second_run_with_other_values_changes_nothing(ready: Callable[..., CliUser]) -> None:
    user = ready("three-phase", speed=600)
    generates(user)
    before = pages(user)
    result = generates(user)
    assert result.out.startswith(f"docs/gateway: {len(before)} unchanged\n")
    assert pages(user) == before


def test_an_edited_page_is_replaced_with_overwrite_only(
    ready: Callable[..., CliUser],
) -> None:
    user = ready()
    generates(user)
    file = user.home.parent / "docs" / "gateway" / "ivp_meters.adoc"
    made = file.read_text()
    file.write_text(made + "\nMine.\n")
    other = file.with_name("README.adoc")
    other.write_text("= Not made by it\n")
    result = generates(user)
    assert result.status == 0
    assert result.warnings == [
        f"warning: docs/gateway/{name}: not replaced, as it was edited or not written by this "
        "command: use --overwrite to replace it"
        for name in ("ivp_meters.adoc", "README.adoc")
    ]
    assert file.read_text().endswith("Mine.\n")
    assert other.read_text() == "= Not made by it\n"
    assert generates(user, "--overwrite").err == ""
    assert "Mine." not in file.read_text()
    assert other.read_text().startswith("// Generated by")


def test_an_output_folder_that_is_not_writable_is_an_error(ready: Callable[..., CliUser]) -> None:
    user = ready()
    (user.home.parent / "taken").write_text("")
    result = generates(user, "--output", "taken")
    assert result.status == 1
    assert "taken" in result.error


def test_no_token_is_sent_if_the_certificate_changed(ready: Callable[..., CliUser]) -> None:
    user = ready()
    user.simulator.renew_certificate(same_key=False)
    result = generates(user)
    assert result.status == 1
    assert user.simulator.fingerprint in result.error
    assert user.simulator.requests == []
    assert not (user.home.parent / "docs").exists()


def test_a_token_that_expires_during_the_run_is_renewed_and_stored(ready: Callable[..., CliUser]) -> None:
    user = ready()
    old = user.simulator.token(lifetime=3)
    user.write_account(gateway_token=old)
    result = user.run(main, "--delay", "0.2")
    assert (result.status, result.err) == (0, "")
    assert user.read_settings()["gateway_token"] != old
    installers = sum(bool(each.requests) and each.methods["GET"] == "installer" for each in load_catalogue())
    assert f" {installers} refused" in result.out
    assert "no answer" not in result.out


def test_an_expired_token_without_an_account_is_an_error(
    ready: Callable[..., CliUser],
) -> None:
    user = ready()
    user.write_settings(gateway_token=user.simulator.token(lifetime=3))
    result = user.run(main, "--delay", "0.2")
    assert result.status == 2
    assert "gateway_token: " in result.error
    assert "create one on https://entrez" in result.error
    assert not (user.home.parent / "docs").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gateway_host": "ftp://envoy.local"}, "gateway_host: the address must begin with https://"),
        ({"gateway_token": 5}, "gateway_token: must be a text"),
        ({"gateway_token": "nonsense"}, "gateway_token: "),
        ({}, "no gateway_token and no enphase_username with enphase_password: fill in"),
    ],
)
def test_an_invalid_setting_is_an_error(user: CliUser, changed: dict[str, Any], message: str) -> None:
    if "gateway_host" in changed:
        user.environment.pop("ENPHASE_GATEWAY_HOST")
    user.trust_gateway()
    user.write_settings(**changed)
    result = generates(user)
    assert result.status == 2
    assert f"credentials.json: {message}" in result.error


@pytest.mark.parametrize(
    "arguments", [("--format", "html"), ("--delay", "-1"), ("--delay", "now"), ("--watch",)]
)
def test_an_invalid_option_is_an_error(user: CliUser, arguments: tuple[str, ...]) -> None:
    assert user.run(main, *arguments).status == 2
    assert user.simulator.requests == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_it_without_partial_pages(
    ready: Callable[..., CliUser], tmp_path: Path, number: signal.Signals, status: int
) -> None:
    user = ready()
    user.simulator.faults.set("silent", "/ivp/ensemble/status")
    output = tmp_path / "pages"
    with user.start(NAME, *QUICK, "--output", str(output), start_new_session=True) as process:
        deadline = time.monotonic() + 20
        while not any(each.path == "/ivp/ensemble/status" for each in user.simulator.requests):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(5) == status
        assert process.communicate()[1] == ""
    assert not output.exists()


def test_a_progress_bar_on_a_terminal_shows_the_request(ready: Callable[..., CliUser]) -> None:
    with open_terminal(ready(), "--delay", "0.05", command=NAME) as terminal:
        written = terminal.until_end()
        assert terminal.process.returncode == 0
    assert "━" in written
    requests = [path for endpoint in load_catalogue() for path in endpoint.requests]
    assert f"{len(requests)}/{len(requests)}" in written
    # The bar is drawn ten times a second: which paths it shows depends on the speed of the answers.
    assert any(path in written for path in requests)


def test_no_secret_is_in_the_debug_log_or_on_a_page(ready: Callable[..., CliUser]) -> None:
    user = ready()
    token = user.simulator.token()
    user.write_account(gateway_token=token)
    process = user.start(NAME, "-v", *QUICK, "--output", str(user.home / "pages"))
    command_line = Path(f"/proc/{process.pid}/cmdline").read_text()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "DEBUG" in err
    written = "".join(each.read_text() for each in (user.home / "pages").iterdir())
    serials = [each.serial_number for each in user.simulator.house.inverters]
    assert user.simulator.serial_number.isdecimal()
    hunted = [token, token[-20:], PASSWORD, USERNAME]
    assert [each for each in hunted if each in command_line + out + err + written] == []
    assert [each for each in (*serials, user.simulator.serial_number) if each in written] == []
