"""Changing a setting: what is asked, sent and reported, and the exit status."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from enphase_companion.commands.gateway_console import main

from ..cli_user import CliUser


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
