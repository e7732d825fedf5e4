"""enphase-gateway-generate-docs, with simulated gateways."""

from __future__ import annotations

import json
import re
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from enphase_companion.commands.gateway_generate_docs import NAME, main
from enphase_companion.endpoint_docs import fetch
from enphase_companion.endpoint_docs.catalogue import Endpoint, load_catalogue
from enphase_companion.simulator import Simulator

from ..cli_user import PASSWORD, USERNAME, CliUser, Result
from ..terminal import open_terminal

pytestmark = pytest.mark.slow

QUICK = ("--delay", "0")


def run_command(user: CliUser, *arguments: str) -> Result:
    return user.run(main, *QUICK, *arguments)


def read_pages(user: CliUser, ending: str = ".adoc") -> dict[str, str]:
    """Return all pages in docs/gateway, by name."""
    folder = user.home.parent / "docs" / "gateway"
    assert {each.name for each in folder.iterdir() if each.suffix != ending} == {"schemas", "openapi.json"}
    return {each.stem: each.read_text() for each in folder.iterdir() if each.suffix == ending}


def read_all(folder: Path) -> dict[str, bytes]:
    """Return all files in a folder and those in it, by name."""
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def read_description(user: CliUser) -> dict[str, Any]:
    """Return the OpenAPI description."""
    content: dict[str, Any] = json.loads((user.home.parent / "docs/gateway/openapi.json").read_text())
    return content


def read_outcomes(recording: Path) -> dict[str, str]:
    """Return the outcome of each request, as a recording notes it."""
    outcomes: dict[str, str] = json.loads((recording / "_recording.json").read_text())["outcomes"]
    return outcomes


def find_endpoint(path: str) -> Endpoint:
    return next(each for each in load_catalogue() if each.path == path)


@pytest.mark.parametrize("profile", ["battery", "no-meters", "many-meters", "ac-batteries"])
def test_each_endpoint_has_a_page_and_the_index_links_them(
    create_ready_user: Callable[..., CliUser], profile: str
) -> None:
    user = create_ready_user(profile)
    result = run_command(user)
    assert (result.status, result.err) == (0, "")
    written = read_pages(user)
    assert written.keys() == {"README", *(each.page for each in load_catalogue())}
    assert sorted(re.findall(r"link:(\S+)\.adoc\[", written["README"])) == sorted({*written} - {"README"})
    version = user.simulator.house.profile.firmware.lstrip("D")
    assert f"firmware `+{version}+`" in written["info"]
    assert result.out.startswith(
        f"docs/gateway: {len(written)} new\nschemas: {len(written)} new\nendpoints: "
    )


def test_a_page_merges_the_catalogue_with_the_answers(create_ready_user: Callable[..., CliUser]) -> None:
    user = create_ready_user("battery")
    run_command(user, "--format", "markdown")
    page = read_pages(user, ".md")["ivp_meters_readings"]
    assert "| `activePower` | number | W | always | active power; positive: produced" in page
    assert "### `[].channels[]`" in page
    example = json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0])
    assert example[0].keys() >= {"eid", "actEnergyDlvd", "channels"}
    meters = read_pages(user, ".md")["ivp_meters"]
    assert "`disabled`, `enabled`" in meters
    # The simulator's /ivp/ss/pel_settings has one of the known fields.
    limits = read_pages(user, ".md")["ivp_ss_pel_settings"]
    assert "| `PEL` | boolean |  | always |" in limits
    assert "| `PEL_Limit` | number | W; % if `percent` is true | not seen |" in limits


def test_only_safe_endpoints_are_requested_once_each_with_a_delay(
    create_ready_user: Callable[..., CliUser], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = create_ready_user("battery")
    # Some endpoints reject an owner's token, and the client repeats those requests.
    user.write_settings(gateway_token=user.simulator.token("installer"))
    delays: list[float] = []

    async def record(seconds: float) -> None:
        delays.append(seconds)

    monkeypatch.setattr(fetch, "asyncio", SimpleNamespace(sleep=record))
    assert user.run(main, "--delay", "0.05").status == 0
    requests = [each for each in user.simulator.requests if each.path != "/auth/check_jwt"]
    safe = [request for each in load_catalogue() for request in each.requests]
    assert {each.method for each in requests} == {"GET"}
    assert requests[0].path == "/info", "the identification comes first"
    assert len(requests[1:]) <= len(safe)
    assert {each.path for each in requests} <= {*safe}
    assert len({each.path for each in requests[1:]}) == len(requests[1:])
    assert delays.count(0.05) >= len(requests[1:])


def test_unsafe_endpoints_are_never_requested() -> None:
    for path in (
        "/stream/meter",
        "/installer/pcu_comm_check",
        "/ivp/ensemble/comm_check",
        "/ivp/peb/newscan",
        "/ivp/livedata/stream",
        "/auth/check_jwt",
    ):
        assert find_endpoint(path).requests == ()


def test_missing_endpoints_are_documented_from_the_catalogue(
    create_ready_user: Callable[..., CliUser],
) -> None:
    user = create_ready_user("no-meters-404")
    assert run_command(user).status == 0
    page = read_pages(user)["ivp_meters"]
    assert "This gateway has no such endpoint" in page
    assert "| `+measurementType+` | string |" in page
    assert "== Example" not in page
    assert re.search(r"ivp_meters\.adoc\[.*\| not available \|", read_pages(user)["README"])


def test_a_rejected_request_does_not_stop_the_run(create_ready_user: Callable[..., CliUser]) -> None:
    user = create_ready_user("battery")
    user.simulator.faults.set("refuse", "/ivp/ensemble/power")
    assert run_command(user).status == 0
    assert "This gateway refuses the request with this token" in read_pages(user)["ivp_ensemble_power"]
    assert "== Example" in read_pages(user)["ivp_ensemble_secctrl"]


@pytest.mark.parametrize("fault", ["html", "truncated", "status", "reset"])
def test_an_invalid_answer_does_not_change_a_page(
    create_ready_user: Callable[..., CliUser], fault: str
) -> None:
    user = create_ready_user("battery")
    user.simulator.faults.set(fault, "/ivp/ensemble/secctrl")
    first = run_command(user)
    assert first.status == 0
    assert len(first.warnings) == 1
    assert "/ivp/ensemble/secctrl: " in first.warnings[0]
    assert "This gateway " in read_pages(user)["ivp_ensemble_secctrl"]
    assert "This page is based on the catalogue only." in read_pages(user)["ivp_ensemble_secctrl"]
    user.simulator.faults.clear()
    assert run_command(user).status == 0
    good = read_pages(user)["ivp_ensemble_secctrl"]
    assert "== Example" in good
    described = read_description(user)
    user.simulator.faults.set(fault, "/ivp/ensemble/secctrl")
    assert "1 kept, as there was no answer" in run_command(user).out
    assert read_pages(user)["ivp_ensemble_secctrl"] == good
    assert read_description(user)["components"] == described["components"]


def test_silent_endpoints_are_noted_and_do_not_stop_the_run(
    create_ready_user: Callable[..., CliUser],
) -> None:
    user = create_ready_user("battery")
    silent = [each.path for each in load_catalogue() if each.path.startswith(("/ivp/ensemble/", "/ivp/ss/"))]
    for path in silent:
        user.simulator.faults.set("reset", path)
    result = run_command(user, "--record", "recording")
    assert result.status == 0
    assert "This gateway did not answer the request." in read_pages(user)["ivp_ensemble_power"]
    outcomes = read_outcomes(user.home.parent / "recording")
    assert {outcomes[path] for path in silent if find_endpoint(path).requests} == {"failed"}
    assert outcomes["/ivp/meters"] == "answered"


@pytest.fixture
def stopping_gateway(monkeypatch: pytest.MonkeyPatch) -> Callable[[CliUser, int], None]:
    """Return a function that makes the gateway stop answering after a number of requests."""

    def stop_after(user: CliUser, count: int) -> None:
        async def sleep(_: float) -> None:
            nonlocal count
            count -= 1
            if count == 0:
                user.simulator.faults.set("reset")

        monkeypatch.setattr(fetch, "asyncio", SimpleNamespace(sleep=sleep))

    return stop_after


def test_a_run_that_the_gateway_interrupted_continues_with_what_is_missing(
    create_ready_user: Callable[..., CliUser], stopping_gateway: Callable[[CliUser, int], None]
) -> None:
    user = create_ready_user("battery")
    user.simulator.faults.set("refuse", "/ivp/meters")
    stopping_gateway(user, 14)
    result = run_command(user, "--record", "recording")
    assert result.status == 1
    assert "did not answer" in result.error
    assert "run this command again" in result.error
    assert not (user.home.parent / "docs").exists()
    assert not (user.home.parent / "recording").exists()
    (kept,) = user.folder.glob("*unfinished*")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    user.simulator.faults.clear()
    answered = {each["request"] for each in map(json.loads, kept.read_text().splitlines()[1:])}
    assert len(answered) == 12
    # A killed process can leave half a line.
    kept.write_text(kept.read_text() + '{"request": "/ivp')
    before = len(user.simulator.requests)
    result = run_command(user, "--record", "recording")
    assert result.status == 0
    assert "resumed: 12 answers are those of an interrupted run" in result.out
    requested = {each.path for each in user.simulator.requests[before:]} - {"/info", "/auth/check_jwt"}
    assert requested & answered == set()
    assert not kept.exists()
    outcomes = read_outcomes(user.home.parent / "recording")
    assert outcomes.keys() >= answered | requested
    # The token of the next run may be another one.
    assert outcomes["/ivp/meters"] == "answered"


def test_a_run_whose_answers_cannot_be_kept_is_complete_all_the_same(
    create_ready_user: Callable[..., CliUser],
) -> None:
    user = create_ready_user("three-phase")
    (user.folder / "generate_docs.unfinished").mkdir()
    result = run_command(user)
    assert result.status == 0
    (warning,) = result.warnings
    assert "generate_docs.unfinished: cannot be written" in warning
    assert "== Example" in read_pages(user)["ivp_meters"]


@pytest.mark.parametrize("changed", ["serial_number", "firmware", "started"])
def test_answers_of_another_gateway_or_day_are_not_used(
    create_ready_user: Callable[..., CliUser],
    stopping_gateway: Callable[[CliUser, int], None],
    changed: str,
) -> None:
    user = create_ready_user("battery")
    stopping_gateway(user, 5)
    assert run_command(user).status == 1
    user.simulator.faults.clear()
    (kept,) = user.folder.glob("*unfinished*")
    first, *others = kept.read_text().splitlines()
    kept.write_text("\n".join([json.dumps({**json.loads(first), changed: 1}), *others]))
    result = run_command(user)
    assert result.status == 0
    assert "resumed" not in result.out


def test_a_recording_is_replayed_by_the_simulator_and_gives_the_same_pages(
    create_ready_user: Callable[..., CliUser],
) -> None:
    user = create_ready_user("battery")
    user.simulator.faults.set("refuse", "/ivp/ensemble/status")
    user.simulator.faults.set("html", "/ivp/ensemble/relay")
    result = run_command(user, "--record", "recording", "--output", "first")
    assert result.status == 0
    folder = user.home.parent / "recording"
    outcomes = read_outcomes(folder)
    assert f"recording: recorded {list(outcomes.values()).count('answered')} answers" in result.out
    assert outcomes["/ivp/ensemble/status"] == "refused"
    assert outcomes["/ivp/ensemble/relay"] == "invalid"
    assert "with HTML" in (user.home.parent / "first" / "ivp_ensemble_relay.adoc").read_text()
    assert run_command(user, "--from", "recording", "--output", "second").status == 0
    assert read_all(user.home.parent / "second") == read_all(user.home.parent / "first")
    # It is anonymous already.
    assert run_command(user, "--from", "recording", "--record", "again").status == 0
    assert read_all(user.home.parent / "again") == read_all(folder)
    with Simulator(replay=folder) as replayed:
        other = CliUser(replayed, user.home / "other", user.capture, user.patch)
        other.trust_gateway()
        other.write_settings(gateway_token=replayed.token())
        assert other.run(main, *QUICK, "--record", "replayed").status == 0
        assert read_outcomes(user.home.parent / "replayed")["/ivp/ensemble/status"] == "refused"


def test_an_output_that_is_a_file_is_an_error_at_once(create_ready_user: Callable[..., CliUser]) -> None:
    user = create_ready_user("three-phase")
    (user.home.parent / "pages").write_text("Dear")
    result = run_command(user, "--output", "pages")
    assert (result.status, "--output pages: is a file: name a folder" in result.error) == (1, True)
    assert user.simulator.requests == []


def test_a_recording_replaces_nothing_unless_it_is_told_to(create_ready_user: Callable[..., CliUser]) -> None:
    user = create_ready_user("three-phase")
    (user.home.parent / "mine").mkdir()
    (user.home.parent / "mine" / "letter").write_text("Dear")
    for arguments in (("--record", "mine"), ("--record", "mine", "--overwrite")):
        result = run_command(user, *arguments)
        assert (result.status, "--record mine: exists and is no recording" in result.error) == (1, True)
    assert user.simulator.requests == []
    assert run_command(user, "--record", "recording").status == 0
    assert "use --overwrite" in run_command(user, "--record", "recording").error
    (user.home.parent / "recording" / "ivp_meters").unlink()
    assert run_command(user, "--record", "recording", "--overwrite").status == 0
    assert (user.home.parent / "recording" / "ivp_meters").exists()
    assert not [each for each in user.home.parent.iterdir() if each.name.startswith(".recording")]
    assert run_command(user, "--from", "recording", "--from", "mine", "--record", "both").status == 2


def test_a_second_run_with_other_values_changes_nothing(create_ready_user: Callable[..., CliUser]) -> None:
    user = create_ready_user("three-phase", speed=600)
    run_command(user)
    before = read_pages(user)
    result = run_command(user)
    assert result.out.startswith(f"docs/gateway: {len(before)} unchanged\n")
    assert read_pages(user) == before


def test_an_edited_page_is_replaced_with_overwrite_only(
    create_ready_user: Callable[..., CliUser],
) -> None:
    user = create_ready_user("battery")
    run_command(user)
    file = user.home.parent / "docs" / "gateway" / "ivp_meters.adoc"
    generated = file.read_text()
    file.write_text(generated + "\nA note.\n")
    other = file.with_name("README.adoc")
    other.write_text("= Another page\n")
    result = run_command(user)
    assert result.status == 0
    assert result.warnings == [
        f"warning: docs/gateway/{name}: not replaced, as it was edited or not written by this "
        "command: use --overwrite to replace it"
        for name in ("ivp_meters.adoc", "README.adoc")
    ]
    assert file.read_text().endswith("A note.\n")
    assert other.read_text() == "= Another page\n"
    assert run_command(user, "--overwrite").err == ""
    assert "A note." not in file.read_text()
    assert other.read_text().startswith("// Generated by")


def test_an_unwritable_output_folder_is_an_error(create_ready_user: Callable[..., CliUser]) -> None:
    user = create_ready_user("battery")
    (user.home.parent / "taken").write_text("")
    result = run_command(user, "--output", "taken")
    assert result.status == 1
    assert "taken" in result.error


def test_no_token_is_sent_if_the_certificate_changed(create_ready_user: Callable[..., CliUser]) -> None:
    user = create_ready_user("battery")
    user.simulator.renew_certificate(same_key=False)
    result = run_command(user)
    assert result.status == 1
    assert user.simulator.fingerprint in result.error
    assert user.simulator.requests == []
    assert not (user.home.parent / "docs").exists()


def test_a_token_that_expires_during_the_run_is_renewed_and_stored(
    create_ready_user: Callable[..., CliUser],
) -> None:
    user = create_ready_user("battery")
    old = user.simulator.token(lifetime=3)
    user.write_account(gateway_token=old)
    result = user.run(main, "--delay", "0.2")
    assert (result.status, result.err) == (0, "")
    assert user.read_settings()["gateway_token"] != old
    installers = sum(bool(each.requests) and each.methods["GET"] == "installer" for each in load_catalogue())
    assert f" {installers} refused" in result.out
    assert "no answer" not in result.out


def test_an_expired_token_without_an_account_is_an_error(
    create_ready_user: Callable[..., CliUser],
) -> None:
    user = create_ready_user("battery")
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
    result = run_command(user)
    assert result.status == 2
    assert f"credentials.json: {message}" in result.error


@pytest.mark.parametrize(
    "arguments", [("--format", "html"), ("--delay", "-1"), ("--delay", "now"), ("--watch",)]
)
def test_an_invalid_option_is_an_error(user: CliUser, arguments: tuple[str, ...]) -> None:
    assert user.run(main, *arguments).status == 2
    assert user.simulator.requests == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_the_run_without_partial_pages(
    create_ready_user: Callable[..., CliUser], tmp_path: Path, number: signal.Signals, status: int
) -> None:
    user = create_ready_user("battery")
    user.simulator.faults.set("silent", "/ivp/ensemble/status")
    output = tmp_path / "pages"
    with user.start(NAME, *QUICK, "--output", str(output), start_new_session=True) as process:
        deadline = time.monotonic() + 20
        while not any(each.path == "/ivp/ensemble/status" for each in user.simulator.requests):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(60) == status
        told = "interrupted: the next run within a day requests only what is missing\n"
        assert process.communicate()[1] == told
    assert not output.exists()
    # The next run continues here.
    (kept,) = user.folder.glob("*unfinished*")
    assert len(kept.read_text().splitlines()) > 2


def test_a_progress_bar_on_a_terminal_shows_the_request(create_ready_user: Callable[..., CliUser]) -> None:
    with open_terminal(create_ready_user("battery"), "--delay", "0.05", command=NAME) as terminal:
        written = terminal.until_end()
        assert terminal.process.returncode == 0
    assert "━" in written
    requests = [path for endpoint in load_catalogue() for path in endpoint.requests]
    assert f"{len(requests)}/{len(requests)}" in written
    # The bar is drawn ten times a second: the paths that it shows depend on the speed of the answers.
    assert any(path in written for path in requests)


def test_secrets_never_appear_in_the_debug_log_or_on_a_page(
    create_ready_user: Callable[..., CliUser],
) -> None:
    user = create_ready_user("battery")
    token = user.simulator.token()
    user.write_account(gateway_token=token)
    process = user.start(NAME, "-v", *QUICK, "--output", str(user.home / "pages"))
    command_line = Path(f"/proc/{process.pid}/cmdline").read_text()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "DEBUG" in err
    written = "".join(each.read_text() for each in (user.home / "pages").rglob("*.*"))
    serials = [each.serial_number for each in user.simulator.house.inverters]
    assert user.simulator.serial_number.isdecimal()
    hunted = [token, token[-20:], PASSWORD, USERNAME]
    assert [each for each in hunted if each in command_line + out + err + written] == []
    assert [each for each in (*serials, user.simulator.serial_number) if each in written] == []
