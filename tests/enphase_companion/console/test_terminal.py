"""The console on a terminal, and followed through a pipe: real processes, real pseudo-terminals."""

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


def test_on_a_terminal_the_page_has_colours_and_bars(ready: Callable[..., CliUser]) -> None:
    with open_terminal(ready()) as terminal:
        written = terminal.until_end()
        assert terminal.process.returncode == 0
    assert COLOUR.search(written)
    assert "━" in written
    assert OTHER_SCREEN not in written


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_wants_no_colour_gets_none(ready: Callable[..., CliUser], variable: dict[str, str]) -> None:
    user = ready()
    user.environment |= variable
    with open_terminal(user) as terminal:
        written = terminal.until_end()
    assert "IQ Gateway" in written
    assert not COLOUR.search(written)


def test_watch_keeps_a_live_page_until_ctrl_c(ready: Callable[..., CliUser]) -> None:
    user = ready()
    with open_terminal(user, "--watch", "1") as terminal:
        terminal.until(rf"{re.escape(OTHER_SCREEN)}.*IQ Gateway.*Microinverters.*IQ Gateway.*IQ Gateway")
        terminal.types("\x03")
        written = terminal.until_end()
        assert terminal.process.returncode == 0
    assert len({*re.findall(r"\d\d:\d\d:\d\d", written)}) >= 2, "time goes on"
    assert written.rindex(BACK) > written.rindex("IQ Gateway")
    assert written.rindex(CURSOR) > written.rindex(HIDDEN_CURSOR)
    assert "Traceback" not in written


def test_watch_gives_the_terminal_back_when_it_is_terminated(ready: Callable[..., CliUser]) -> None:
    with open_terminal(ready(), "--watch", "1") as terminal:
        terminal.until("IQ Gateway")
        terminal.process.terminate()
        written = terminal.until_end()
        assert terminal.process.returncode == 0
    assert BACK in written
    assert written.rindex(CURSOR) > written.rindex(HIDDEN_CURSOR)


def test_watch_says_that_its_values_are_old_while_the_gateway_is_away(ready: Callable[..., CliUser]) -> None:
    user = ready()
    with open_terminal(user, "--watch", "1") as terminal:
        terminal.until("IQ Gateway")
        user.simulator.faults.set("status", "/ivp/meters/readings", status=503)
        terminal.until("These values are old: The gateway answered /ivp/meters/readings with status 503")
        user.simulator.faults.clear()
        after = len(terminal.written)
        terminal.until(r"IQ Gateway(?!.*These values are old).*Microinverters")
        assert after < len(terminal.written)


def test_a_small_terminal_gets_what_fits_and_is_told_of_the_rest(ready: Callable[..., CliUser]) -> None:
    with open_terminal(ready(), "--watch", "1", lines=16, columns=80) as terminal:
        written = terminal.until("more lines: a taller terminal shows them")
    assert "Production" in written
    assert "Microinverters" not in written


def test_watch_through_a_pipe_gives_a_line_a_tick(ready: Callable[..., CliUser]) -> None:
    with ready("battery", hour_of_day=12).start(COMMAND, "--watch", "1") as process:
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


def test_watch_as_json_gives_a_document_a_line_and_a_gap_while_the_gateway_is_away(
    ready: Callable[..., CliUser],
) -> None:
    user = ready()
    with user.start(COMMAND, "--watch", "1", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = json.loads(process.stdout.readline())
        user.simulator.faults.set("status", "/ivp/meters/readings", status=503)
        assert "warning: The gateway answered /ivp/meters/readings" in process.stderr.readline()
        user.simulator.faults.clear()
        second = json.loads(process.stdout.readline())
        process.terminate()
        process.communicate(timeout=10)
    assert first["gateway"] == second["gateway"]
    assert first["measured_at"] < second["measured_at"]


@pytest.mark.slow
def test_watch_goes_on_when_its_token_expires(ready: Callable[..., CliUser]) -> None:
    user = ready()
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


def test_ctrl_c_at_the_question_stores_nothing(user: CliUser) -> None:
    with open_terminal(user, "--trust") as terminal:
        terminal.until("Type yes to trust it: ")
        # Python misses a signal between its prompt and the read behind it; no person is that quick.
        time.sleep(0.5)
        terminal.types("\x03")
        written = terminal.until_end()
        assert terminal.process.returncode == 130
    assert "Traceback" not in written
    assert not user.certificate.exists()
