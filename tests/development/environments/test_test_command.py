"""scripts/test runs the selected suites, and fails if one fails or none ran."""

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from development.steps import PROJECT, SetUpError

CLIENT, INTEGRATION, DEMO = "scripts-3.14", "locked", "newest"
SLOWEST = ["--durations=10", "--durations-min=1"]
PARALLEL = ["-n", "2", "--dist=loadfile", *SLOWEST]
PARALLEL_SCRIPTS = ["-n", "4", "--dist=loadfile", *SLOWEST]

# Runs scripts/test with arguments; returns its exit status and the arguments of pytest by environment.
Run = Callable[..., tuple[int, dict[str, list[str]]]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return scripts/test as a module."""
    loader = SourceFileLoader("scripts_test", str(PROJECT / "scripts/test"))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, loader.name, module)
    loader.exec_module(module)
    return module


@pytest.fixture
def installed(command: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the packages that are installed as root on a Debian without any of them."""
    packages: list[str] = []
    monkeypatch.setattr(command, "install", packages.extend)
    monkeypatch.setattr(command, "is_debian", lambda: True)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda _program, **_options: None)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    return packages


@pytest.fixture
def run(command: ModuleType, installed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setattr(command, "environment", Path)
    monkeypatch.setattr(command, "TESTS", tmp_path)
    for folder in (
        "enphase_api",
        "enphase_companion",
        "development/environments",
        "enphase_iq_gateway",
        "browser",
        "development/demo",
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "test_it.py").touch()
    monkeypatch.chdir(tmp_path)

    def run_with(
        *words: str, outcomes: dict[str, int] | None = None, debugged: list[str] | None = None
    ) -> tuple[int, dict[str, list[str]]]:
        runs = {}

        def record(
            arguments: list[str], cwd: Path, env: dict[str, str], *, check: bool
        ) -> subprocess.CompletedProcess[str]:
            assert arguments[1:3] == ["-m", "pytest"]
            assert (cwd, check) == (PROJECT, False)
            assert env["PYTHONDONTWRITEBYTECODE"] == ""
            if debugged is not None and env.get("EVENT_LOOP_DEBUG"):
                debugged.append(arguments[0])
            environment = arguments[0]
            received = [word.replace(f"{tmp_path}/", "") for word in arguments[3:]]
            cache_option = next(word for word in received if word.startswith("cache_dir="))
            runs[environment] = [word for word in received if word not in ("-o", cache_option)]
            return subprocess.CompletedProcess(arguments, (outcomes or {}).get(environment, 0))

        with monkeypatch.context() as patch:
            patch.setattr("subprocess.run", record)
            patch.setattr(sys, "argv", ["scripts/test", *words])
            return command.main(), runs

    return run_with


def test_without_arguments_every_suite_runs_in_its_environment(run: Run) -> None:
    outcome, runs = run()
    assert outcome == 0
    assert runs == {
        CLIENT: [
            *PARALLEL_SCRIPTS,
            *["enphase_api", "enphase_companion", "development/environments"],
        ],
        INTEGRATION: [*PARALLEL, "enphase_iq_gateway"],
        DEMO: ["-p", "no:homeassistant", "--timeout=600", *PARALLEL, "browser", "development/demo"],
    }


def test_a_path_runs_only_the_suite_that_it_belongs_to(run: Run) -> None:
    assert run("enphase_iq_gateway/test_it.py")[1] == {INTEGRATION: ["enphase_iq_gateway/test_it.py"]}
    assert run("development/demo/test_it.py::test_x[a/b]", "development/environments")[1] == {
        CLIENT: [*PARALLEL_SCRIPTS, "development/environments"],
        DEMO: ["-p", "no:homeassistant", "--timeout=600", "development/demo/test_it.py::test_x[a/b]"],
    }


def test_further_arguments_are_passed_to_pytest_in_order(run: Run) -> None:
    assert run("-x", "enphase_api/test_it.py", "-k", "trust and not slow", "--lf")[1] == {
        CLIENT: ["-x", "-k", "trust and not slow", "--lf", "enphase_api/test_it.py"]
    }


def test_fast_skips_slow_tests(run: Run) -> None:
    assert run("--fast", "enphase_api/test_it.py")[1] == {
        CLIENT: ["-m", "not slow and not browser and not demo and not services", "enphase_api/test_it.py"]
    }


def test_another_python_and_another_home_assistant_can_be_chosen(run: Run) -> None:
    _, runs = run("--python", "3.11", "--home-assistant", "oldest")
    assert set(runs) == {"scripts-3.11", "oldest", DEMO}


def test_the_newest_home_assistant_gets_the_missing_parts_of_the_plugin(run: Run) -> None:
    assert run("--home-assistant", "newest", "enphase_iq_gateway")[1] == {
        "newest": ["-p", "tests.newest_home_assistant", *PARALLEL, "enphase_iq_gateway"]
    }


def test_newer_servers_are_given_to_the_tests_or_reported_as_unavailable(
    command: ModuleType, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_servers", lambda kind: Path("/unpacked") / kind)
    given: list[str | None] = []

    def record(arguments: list[str], env: dict[str, str], **_: object) -> subprocess.CompletedProcess[str]:
        given.append(env.get("ENPHASE_TEST_SERVERS"))
        return subprocess.CompletedProcess(arguments, 0)

    with monkeypatch.context() as patch:
        patch.setattr("subprocess.run", record)
        patch.setattr(sys, "argv", ["scripts/test", "--servers", "mysql", "enphase_companion"])
        assert command.main() == 0
    assert given == ["/unpacked/mysql"]

    def fail(kind: str) -> Path:
        raise SetUpError(f"no {kind} here")

    monkeypatch.setattr(command, "find_servers", fail)
    assert run("--servers", "newest") == (77, {})
    assert "no test was run on newest servers: no newest here" in capsys.readouterr().err


def test_a_failed_suite_is_a_failure_and_the_others_still_run(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome, runs = run(outcomes={CLIENT: 1})
    assert outcome == 1
    assert set(runs) == {CLIENT, INTEGRATION, DEMO}
    assert re.search(
        r"client and scripts: FAILED \(\d+ s\)\nintegration: passed \(\d+ s\)\ndemo, .* passed \(\d+ s\)\n",
        capsys.readouterr().out,
    )


def test_a_suite_without_selected_tests_is_not_a_failure(run: Run) -> None:
    assert run("-k", "certificate", outcomes={DEMO: 5})[0] == 0


def test_a_run_without_any_test_is_a_failure(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-k", "misspelt", outcomes={CLIENT: 5, INTEGRATION: 5, DEMO: 5})[0] == 5
    assert "no test was run" in capsys.readouterr().err


def test_programs_are_installed_only_for_the_suite_that_uses_them(run: Run, installed: list[str]) -> None:
    for folder, programs in (
        ("enphase_iq_gateway", ["rabbitmq-server"]),
        ("development/demo", ["chromium"]),
        ("enphase_companion", ["rabbitmq-server", "mariadb-server", "asciidoctor", "mosquitto-clients"]),
    ):
        installed.clear()
        run(folder)
        assert installed == programs


@pytest.mark.parametrize("option", ["--fast", "--no-install"])
def test_nothing_is_installed_if_disabled(run: Run, installed: list[str], option: str) -> None:
    run(option)
    assert installed == []


def test_nothing_is_installed_without_root_privileges(
    run: Run, installed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert run()[0] == 0
    assert installed == []
    assert (
        "as root: apt-get install rabbitmq-server mariadb-server asciidoctor mosquitto-clients chromium"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(("words", "suites"), [((), [INTEGRATION]), (("--fast",), [])])
def test_the_integration_runs_in_debug_mode_unless_fast(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], suites: list[str]
) -> None:
    monkeypatch.delenv("EVENT_LOOP_DEBUG", raising=False)
    debugged: list[str] = []
    run(*words, debugged=debugged)
    assert debugged == suites


@pytest.mark.parametrize(("second", "outcome"), [(0, 0), (1, 1), (5, 1)])
def test_a_failed_test_is_repeated_alone_and_fails_if_it_fails_twice(
    command: ModuleType, run: Run, monkeypatch: pytest.MonkeyPatch, second: int, outcome: int
) -> None:
    calls: list[list[str]] = []
    ends = iter([1, second])

    def record(arguments: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(arguments)
        return subprocess.CompletedProcess(arguments, next(ends))

    suite = command.suites("3.14", "locked")[1]
    monkeypatch.setattr("subprocess.run", record)
    assert command._run(suite, PARALLEL, ["-m", "fast", "here"], {}, again=True) == outcome
    assert "-n" in calls[0]
    assert "-n" not in calls[1]
    assert calls[1][-5:] == ["--last-failed", "--last-failed-no-failures=none", "-m", "fast", "here"]


def test_without_again_a_failure_is_not_repeated(run: Run) -> None:
    assert run("-x", outcomes={INTEGRATION: 1})[0] == 1
