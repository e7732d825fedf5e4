"""Changing a setting: what is asked, sent and reported, and the exit status."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from enphase_api.local import Timing
from enphase_companion.commands.gateway_console import main
from enphase_companion.console import changes
from enphase_companion.runtime.main import INTERRUPTED
from enphase_companion.simulator.inverter_answers import ac_battery_serials
from enphase_companion.simulator.profiles import PROFILES

from ..cli_user import CliUser

SCRIPTS = Path(__file__).parents[3] / "docs" / "scripts.md"


@pytest.mark.parametrize(
    ("texts", "error"),
    [
        (["battery-mode"], "--set battery-mode: use a key and a value, such as battery-mode=backup"),
        (["reserve="], "--set reserve=: use a key and a value, such as battery-mode=backup"),
        (
            ["battery-mode=full"],
            "--set battery-mode=full: use self-consumption or economy or backup",
        ),
        (["reserve=101"], "--set reserve=101: use a percentage from 0 to 100"),
        (["reserve=much"], "--set reserve=much: use a percentage from 0 to 100"),
        (["charge-from-grid=yes"], "--set charge-from-grid=yes: use on or off"),
        (["grid=open"], "--set grid=open: use on or off"),
        (["NC1=on"], "--set NC1=on: use closed or open"),
        (["NC1.colour=red"], "--set NC1.colour: unknown; a dry contact has mode, soc-low"),
        (["NC1.mode=off"], "--set NC1.mode=off: use manual or soc"),
        (["generator=start"], "--set generator=start: use off or on or auto"),
        (["tariff=cheap"], "--set tariff: unknown: use battery-mode, reserve, shutdown-level"),
        (["sleep.1=5"], "--set sleep.1: use two levels such as 5-10, or off"),
        (["sleep.1=5-200"], "--set sleep.1=200: use a percentage from 0 to 100"),
        (["reserve=20", "reserve=30"], "--set reserve: is given twice"),
        (["reserve=20", "grid=on"], "--set: one command at a time"),
        (["NC1.soc-low=20", "NC2.soc-low=20"], "--set: one command at a time"),
        (["\x1b[2J=1"], r"--set \x1b[2J: unknown: use"),
    ],
)
def test_what_is_no_command_is_a_usage_error_before_anything_is_sent(
    create_ready_user: Callable[..., CliUser], texts: list[str], error: str
) -> None:
    user = create_ready_user("battery")
    result = user.run(main, "--yes", *(part for text in texts for part in ("--set", text)))
    assert result.status == 2
    assert result.error.startswith(f"error: {error}")
    assert user.simulator.requests == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--yes"], "--yes and --cloud require --set"),
        (["--cloud"], "--yes and --cloud require --set"),
        (["--set", "reserve=30", "--watch"], "--set cannot be combined with --trust or --watch"),
        (["--set", "reserve=30"], "--set asks for confirmation on a terminal: without one, add --yes"),
    ],
)
def test_options_that_do_not_fit_together_are_usage_errors(
    user: CliUser, arguments: list[str], error: str
) -> None:
    result = user.run(main, *arguments)
    assert result.status == 2
    assert error in result.err


@pytest.mark.parametrize("typed", ["", "no\n", "y\n"])
def test_nothing_is_sent_without_a_typed_yes(
    create_ready_user: Callable[..., CliUser], enter: Callable[..., None], typed: str
) -> None:
    user = create_ready_user("battery")
    enter(typed)
    result = user.run(main, "--set", "battery-mode=backup", "--set", "reserve=30")
    assert result.status == 1
    assert f"To change at {user.simulator.url}: battery-mode = backup, reserve = 30" in result.out
    assert "Nothing was sent." in result.out
    assert user.simulator.requests == []


def test_going_off_grid_says_first_what_it_means(
    create_ready_user: Callable[..., CliUser], enter: Callable[..., None]
) -> None:
    user = create_ready_user("battery")
    enter("no\n")
    asked = user.run(main, "--set", "grid=off").out
    assert "panels drop out for about a minute" in asked
    assert "you cannot come back from" in asked
    enter("no\n")
    assert "panels" not in user.run(main, "--set", "grid=on").out


def test_the_cloud_needs_an_account_and_a_setting_of_the_batteries(
    create_ready_user: Callable[..., CliUser],
) -> None:
    user = create_ready_user("battery")
    result = user.run(main, "--set", "reserve=30", "--cloud", "--yes")
    assert result.status == 2
    assert "--cloud needs enphase_username and enphase_password" in result.error
    user.write_account(gateway_token=user.simulator.token())
    result = user.run(main, "--set", "grid=on", "--cloud", "--yes")
    assert result.status == 2
    assert "only settings of the batteries" in result.error
    assert user.simulator.requests == []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands wait for fractions of a second."""
    defaults = Timing.__init__.__kwdefaults__
    assert defaults is not None
    for name, seconds in {"first": 20, "relay": 20, "cloud": 20, "second": 0.5, "pause": 0.05}.items():
        monkeypatch.setitem(defaults, name, seconds)
    monkeypatch.setattr(changes, "_LOOK_AGAIN", 0.2)


#: House seconds a second: what takes a gateway seconds takes these tests a fraction of one.
SPEED = 30


@pytest.mark.usefixtures("quick")
def test_a_change_that_holds_is_reported_twice_with_status_0(
    create_ready_user: Callable[..., CliUser], enter: Callable[..., None]
) -> None:
    user = create_ready_user("battery", speed=SPEED)
    enter("yes\n")
    result = user.run(main, "--set", "battery-mode=backup", "--set", "reserve=30")
    assert (result.status, result.err) == (0, "")
    lines = result.out.splitlines()
    states = "battery-mode is backup (before: self-consumption), reserve is 100 % (before: 20 %)."
    kept = "In mode backup everything is kept; this reserve counts in the other modes."
    assert lines[1:] == [
        f"Type yes to send it: Done: {states}",
        kept,
        "Reading it again 0.5 seconds after the command ...",
        f"Held: {states}",
        kept,
    ]
    assert user.simulator.house.orders(user.simulator.clock.time()).mode == "backup"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("profile", "setting", "status", "report"),
    [
        ("battery", "battery-mode=economy", 0, "Known from the gateway's document: no device reports it."),
        ("battery", "charge-from-grid=on", 0, "Held: charge-from-grid is on (before: off)."),
        ("battery", "shutdown-level=8%", 0, "Held: shutdown-level is 8 % (before: 5 %)."),
        ("battery", "grid=off", 0, "Held: grid is off (before: on)."),
        ("battery", "grid=on", 0, "Held: grid is on, as before."),
        ("generator", "NC1=open", 0, "Held: NC1 is open (before: closed)."),
        ("generator", "NC1.soc-low=20", 0, "Held: NC1.soc-low is 20 % (before: 30 %)."),
        ("generator", "NC2.off-grid-action=shed", 0, "Held: NC2.off-grid-action is shed"),
        ("generator", "generator=auto", 0, "Held: generator is auto (before: off)."),
        ("generator", "generator-charging=off", 0, "Held: generator-charging is off (before: on)."),
        (
            "battery+no-grid-charging",
            "charge-from-grid=on",
            1,
            "Ignored: charge-from-grid is off, as before.\nThe gateway did not store it: the site's grid",
        ),
        (
            "battery+reserve-limited",
            "reserve=95",
            1,
            "Refused: reserve is 80 % (before: 20 %).",
        ),
        (
            "cloud-controlled",
            "reserve=40",
            1,
            "Ignored: reserve is 20 %, as before.\nThe gateway stores the setting, but its battery",
        ),
    ],
)
def test_the_report_and_the_status_say_whether_a_change_held(
    create_ready_user: Callable[..., CliUser],
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    setting: str,
    status: int,
    report: str,
) -> None:
    if status:
        monkeypatch.setitem(Timing.__init__.__kwdefaults__ or {}, "first", 0.3)
    user = create_ready_user(profile, speed=SPEED)
    result = user.run(main, "--set", setting, "--yes")
    assert report in result.out
    assert (result.status, result.err) == (status, "")


@pytest.mark.usefixtures("quick")
def test_an_ac_battery_sleeps_and_wakes(create_ready_user: Callable[..., CliUser]) -> None:
    user = create_ready_user("ac-batteries", speed=SPEED)
    serial_number = ac_battery_serials(PROFILES["ac-batteries"])[0]
    result = user.run(main, "--set", f"sleep.{serial_number}=5-10", "--yes")
    assert (result.status, result.err) == (0, "")
    assert f"Held: sleep.{serial_number} is on (before: off), soc from is 5 %" in result.out
    result = user.run(main, "--set", f"sleep.{serial_number}=off", "--yes")
    assert f"Held: sleep.{serial_number} is off (before: on)." in result.out


@pytest.mark.usefixtures("quick")
def test_several_settings_of_one_contact_are_one_command(create_ready_user: Callable[..., CliUser]) -> None:
    user = create_ready_user("generator", speed=SPEED)
    result = user.run(
        main, "--set", "NC2.mode=soc", "--set", "NC2.soc-low=20", "--set", "NC2.soc-high=60", "--yes"
    )
    assert result.status == 0, result.err
    writes = [request for request in user.simulator.requests if request.path.endswith("contact_settings")]
    assert [request.method for request in writes].count("POST") == 1


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("profile", "setting", "error"),
    [
        ("battery+owner-refused", "reserve=40", "the gateway does not allow /admin/lib/tariff with this"),
        (
            "battery",
            "production=off",
            "the gateway does not allow /ivp/mod/603980032/mode/power with this token's role: your installer",
        ),
        ("battery", "reserve=3", "the reserve (3 %) must not be below the shutdown level (5 %)"),
        ("battery", "generator=on", "this gateway has no generator"),
        ("three-phase", "reserve=40", "this gateway has no batteries"),
        ("meter-collar", "grid=off", "this gateway has no System Controller"),
    ],
)
def test_what_the_gateway_cannot_do_is_an_error(
    create_ready_user: Callable[..., CliUser], profile: str, setting: str, error: str
) -> None:
    result = create_ready_user(profile, speed=SPEED).run(main, "--set", setting, "--yes")
    assert result.status == 1
    assert result.error.startswith(f"error: {error}")
    assert result.out == ""


@pytest.mark.usefixtures("quick")
def test_json_is_the_result_alone(create_ready_user: Callable[..., CliUser]) -> None:
    user = create_ready_user("battery+cloud-writes-back", speed=SPEED)
    result = user.run(main, "--set", "battery-mode=economy", "--yes", "--json")
    document = json.loads(result.out)
    assert result.status == 0
    assert document["requested"] == {"mode": "economy"}
    assert (document["before"]["mode"], document["after"]["mode"]) == ("self-consumption", "economy")
    assert (document["outcome"], document["evidence"], document["final"]) == ("held", "document", True)
    documentation = SCRIPTS.read_text()
    assert not [key for key in document if f"`{key}`" not in documentation]


@pytest.mark.usefixtures("quick")
def test_the_cloud_is_used_where_the_controller_ignores_the_gateway(
    create_ready_user: Callable[..., CliUser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Timing.__init__.__kwdefaults__ or {}, "first", 0.3)
    user = create_ready_user("cloud-controlled", speed=SPEED)
    user.write_account(gateway_token=user.simulator.token())
    result = user.run(main, "--set", "reserve=40", "--yes", "--cloud")
    assert (result.status, result.err) == (0, "")
    assert "Held (through Enphase's cloud): reserve is 40 % (before: 20 %)." in result.out


@pytest.mark.usefixtures("quick")
def test_an_account_with_several_sites_names_them_and_one_is_chosen_by_a_setting(
    create_ready_user: Callable[..., CliUser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Timing.__init__.__kwdefaults__ or {}, "first", 0.3)
    user = create_ready_user("cloud-controlled", speed=SPEED)
    cloud = user.simulator.entrez.battery_cloud
    assert cloud is not None
    cloud.other_sites, cloud.lists_devices = {2: "Barn", 3: "\x1b[2J"}, False
    user.write_account(gateway_token=user.simulator.token())
    arguments = "--set", "reserve=40", "--yes", "--cloud"
    result = user.run(main, *arguments)
    assert result.status == 2
    assert result.error == (
        f"error: {user.file}: enphase_site: this account has several sites, choose one by its id: "
        "2 (Barn), 3, 1234567 (Simulated house)"
    )
    user.write_account(gateway_token=user.simulator.token(), enphase_site=1234567)
    assert user.run(main, *arguments).status == 0
    user.write_account(gateway_token=user.simulator.token())
    cloud.lists_devices = True
    result = user.run(main, *arguments[:1], "reserve=50", *arguments[2:])
    assert (result.status, result.err) == (0, ""), "the gateway is found among the devices of its site"


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_a_mode_through_the_cloud_is_waited_for(
    create_ready_user: Callable[..., CliUser], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "cloud"):
        monkeypatch.setitem(Timing.__init__.__kwdefaults__ or {}, name, 0.3)
    # Fifteen minutes of house time pass in some seconds.
    user = create_ready_user("cloud-controlled", speed=200)
    user.write_account(gateway_token=user.simulator.token())
    result = user.run(main, "--set", "battery-mode=economy", "--yes", "--cloud")
    assert (result.status, result.err) == (0, "")
    assert "The cloud waits for the gateway, which takes up to 15 minutes." in result.out
    assert "Held (through Enphase's cloud): battery-mode is economy (before: unknown)." in result.out
    assert "Known from Enphase's cloud: no device reports it." in result.out
    assert "Also changed: reserve from 20 % to 30 %, charge-from-grid from off to on." in result.out


@pytest.mark.slow
def test_ctrl_c_says_what_is_known(create_ready_user: Callable[..., CliUser]) -> None:
    user = create_ready_user("cloud-controlled")
    process = user.start("enphase-gateway-console", "--set", "reserve=40", "--yes")
    with process:
        while not any(request.method == "PUT" for request in user.simulator.requests):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED
    assert err == ""
    assert out.strip() == (
        "Interrupted: the command was sent, but not confirmed yet; before, reserve was 20 %."
    )
    user = create_ready_user("battery", speed=SPEED, seed=2)
    process = user.start("enphase-gateway-console", "--set", "reserve=40", "--yes", bufsize=1)
    with process:
        assert process.stdout is not None
        lines = [process.stdout.readline(), process.stdout.readline()]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (INTERRUPTED, "")
    assert lines[0] == "Done: reserve is 40 % (before: 20 %).\n"
    assert "Interrupted before the second look. Done: reserve is 40 % (before: 20 %)." in out
