"""docs/client.md: every example runs unchanged, and everything that it names exists."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import enphase_api
from enphase_api.local import Control, Gateway, Timing
from enphase_api.models import Outcome
from enphase_companion.simulator import Simulator
from tests.houses import JUNE

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Yield a gateway with batteries, for which commands need not wait."""
    quick = {"first": 20.0, "second": 0.1, "pause": 0.05}
    defaults = Timing.__init__.__kwdefaults__
    assert defaults is not None
    for name, seconds in quick.items():
        monkeypatch.setitem(defaults, name, seconds)
    with Simulator("battery", hour_of_day=11, day=JUNE, speed=30) as running:
        yield running


async def run_examples(example: str, names: dict[str, Any], sim: Simulator) -> None:
    # One example needs an installer's account.
    meant = (
        example.replace("https://envoy.local", sim.url)
        .replace("you@example.com", "installer@example.com")
        .replace("your password", sim.password)
        .replace("122300000001", sim.serial_number)
    )
    code = compile(meant, "docs/client.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    waiting = eval(code, names)  # noqa: S307 - the project's own page
    if inspect.iscoroutine(waiting):
        await waiting


@pytest.mark.usefixtures("use_simulated_entrez")
async def test_the_examples_of_the_page_run_in_order(
    sim: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    for example in EXAMPLES:
        await run_examples(example, names, sim)
    printed = capsys.readouterr().out
    assert sim.fingerprint in printed
    assert "W used" in printed
    assert "12 microinverters" in printed
    assert "Check the certificate" not in printed
    assert names["known"].problem is None
    assert "held" in printed
    assert "nothing was sent" not in printed
    assert (names["result"].outcome, names["result"].is_final) == (Outcome.HELD, True)
    assert len(EXAMPLES) == 9


@pytest.mark.usefixtures("use_simulated_entrez")
async def test_the_example_of_errors_recognizes_a_changed_certificate(
    sim: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    for example in EXAMPLES[:-1]:
        await run_examples(example, names, sim)
    sim.renew_certificate(same_key=False)
    await run_examples(EXAMPLES[-1], names, sim)
    assert "Check the certificate: the gateway shows another certificate" in capsys.readouterr().out


def test_the_page_names_every_error() -> None:
    for name in enphase_api.__all__:
        assert f"`{name}`" in PAGE


def test_the_page_names_every_reading_call() -> None:
    for name, member in inspect.getmembers(Gateway, inspect.iscoroutinefunction):
        if not name.startswith("_") and name not in (
            "login",
            "login_oauth_code",
            "api_call",
            "optional_call",
            "close",
            "trust_gateway",
        ):
            assert f"`{name}()`" in PAGE, member


def test_the_page_names_every_command() -> None:
    for name, member in inspect.getmembers(Control, inspect.iscoroutinefunction):
        if name.startswith("set_"):
            assert f"`{name}(" in PAGE, member
