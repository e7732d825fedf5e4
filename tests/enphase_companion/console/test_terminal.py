"""The console in separate processes, on pseudo-terminals and through pipes."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable

import pytest

from ..cli_user import CliUser
from ..terminal import open_terminal

pytestmark = pytest.mark.slow

COMMAND = "enphase-gateway-console"
OTHER_SCREEN, BACK = "\x1b[?1049h", "\x1b[?1049l"
HIDDEN_CURSOR, CURSOR = "\x1b[?25l", "\x1b[?25h"
COLOUR = re.compile(r"\x1b\[[\d;]*\b38;")


def test_the_page_has_colours_and_bars_on_a_terminal(create_ready_user: Callable[..., CliUser]) -> None:
    with open_terminal(create_ready_user()) as terminal:
        written = terminal.until_end()
        assert terminal.process.returncode == 0
    assert COLOUR.search(written)
    assert "━" in written
    assert OTHER_SCREEN not in written


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_color_turns_colours_off(
    create_ready_user: Callable[..., CliUser], variable: dict[str, str]
) -> None:
    user = create_ready_user()
    user.environment |= variable
    with open_terminal(user) as terminal:
        written = terminal.until_end()
    assert "IQ Gateway" in written
    assert not COLOUR.search(written)


def test_watch_updates_the_page_until_ctrl_c(create_ready_user: Callable[..., CliUser]) -> None:
    user = create_ready_user()
    with open_terminal(user, "--watch", "1") as terminal:
        terminal.until(rf"{re.escape(OTHER_SCREEN)}.*IQ Gateway.*Microinverters.*IQ Gateway.*IQ Gateway")
        terminal.types("\x03")
        written = terminal.until_end()
        assert terminal.process.returncode == 0
    assert len({*re.findall(r"\d\d:\d\d:\d\d", written)}) >= 2, "the time advances"
    assert written.rindex(BACK) > written.rindex("IQ Gateway")
    assert written.rindex(CURSOR) > written.rindex(HIDDEN_CURSOR)
    assert "Traceback" not in written


def test_watch_restores_the_terminal_when_it_is_terminated(create_ready_user: Callable[..., CliUser]) -> None:
    with open_terminal(create_ready_user(), "--watch", "1") as terminal:
        terminal.until("IQ Gateway")
        terminal.process.terminate()
        written = terminal.until_end()
        assert terminal.process.returncode == 0
    assert BACK in written
    assert written.rindex(CURSOR) > written.rindex(HIDDEN_CURSOR)


def test_watch_marks_old_values_while_the_gateway_is_unreachable(
    create_ready_user: Callable[..., CliUser],
) -> None:
    user = create_ready_user()
    with open_terminal(user, "--watch", "1") as terminal:
        terminal.until("IQ Gateway")
        user.simulator.faults.set("status", "/ivp/meters/readings", status=503)
        terminal.until("These values are old: the gateway answered /ivp/meters/readings with status 503")
        user.simulator.faults.clear()
        after = len(terminal.written)
        terminal.until(r"IQ Gateway(?!.*These values are old).*Microinverters")
        assert after < len(terminal.written)


def test_a_small_terminal_shows_what_fits_and_a_note(create_ready_user: Callable[..., CliUser]) -> None:
    with open_terminal(create_ready_user(), "--watch", "1", lines=16, columns=80) as terminal:
        written = terminal.until("more lines: a taller terminal shows them")
    assert "Production" in written
    assert "Microinverters" not in written


def test_watch_writes_one_line_per_poll_to_a_pipe(create_ready_user: Callable[..., CliUser]) -> None:
    with create_ready_user("battery", hour_of_day=12).start(COMMAND, "--watch", "1") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert not errors
    assert "\x1b" not in "".join(lines) + rest
    for line in lines:
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d, production [\d.]+ k?W, consumption [\d.]+ k?W, "
            r"grid [\d.]+ k?W( import| export)?, battery [\d.]+ k?W( charging| discharging)?\n",
            line,
        )
    assert len({line[:19] for line in lines}) >= 2


def test_watch_writes_json_lines_with_a_gap_while_the_gateway_is_unreachable(
    create_ready_user: Callable[..., CliUser],
) -> None:
    user = create_ready_user()
    with user.start(COMMAND, "--watch", "1", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = json.loads(process.stdout.readline())
        user.simulator.faults.set("status", "/ivp/meters/readings", status=503)
        assert "warning: the gateway answered /ivp/meters/readings" in process.stderr.readline()
        user.simulator.faults.clear()
        second = json.loads(process.stdout.readline())
        process.terminate()
        process.communicate(timeout=10)
    assert first["gateway"] == second["gateway"]
    assert first["measured_at"] < second["measured_at"]


@pytest.mark.slow
def test_watch_continues_after_its_token_expired(create_ready_user: Callable[..., CliUser]) -> None:
    user = create_ready_user()
    user.write_account(gateway_token=user.simulator.token(lifetime=8))
    old = user.read_settings()["gateway_token"]
    with user.start(COMMAND, "--watch", "1") as process:
        assert process.stdout is not None
        for _ in range(12):
            assert process.stdout.readline().startswith("20")
        process.terminate()
        process.communicate(timeout=10)
    assert user.read_settings()["gateway_token"] != old


def test_trust_asks_on_a_terminal(user: CliUser) -> None:
    with open_terminal(user, "--trust") as terminal:
        terminal.until("Type yes to trust it: ")
        terminal.types("yes\n")
        written = terminal.until_end()
        assert terminal.process.returncode == 0
    assert user.simulator.fingerprint in "".join(written.split())
    assert user.certificate.read_text() == user.simulator.certificate_pem


def test_ctrl_c_at_the_prompt_stores_nothing(user: CliUser) -> None:
    with open_terminal(user, "--trust") as terminal:
        terminal.until("Type yes to trust it: ")
        # Python misses a signal between the prompt and the following read; no user is that fast.
        time.sleep(0.5)
        terminal.types("\x03")
        written = terminal.until_end()
        assert terminal.process.returncode == 130
    assert "Traceback" not in written
    assert not user.certificate.exists()
