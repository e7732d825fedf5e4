"""Setup runs on old Pythons, uses installed programs, and reports how to get missing ones."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from development import debian, environments, servers, steps, toolchain
from development.steps import PROJECT

BEFORE_ALL_ELSE = [
    *sorted((PROJECT / "scripts/development").glob("*.py")),
    PROJECT / "scripts/test",
    PROJECT / "scripts/demo",
    PROJECT / "scripts/benchmark",
    PROJECT / "scripts/pictures",
    PROJECT / "scripts/site",
    PROJECT / "scripts/soak",
]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a machine with its programs in bin/ and downloaded tools in tools/."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for module in (servers, steps, debian, toolchain):
        monkeypatch.setattr(module, "TOOLS", tmp_path / "tools")
    return tmp_path


def program(file: Path, text: str) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize("file", BEFORE_ALL_ELSE, ids=lambda file: file.name)
def test_the_bootstrap_modules_are_valid_python_3_9(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 9))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {
        node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level
    }
    own = {path.stem for path in (PROJECT / "scripts").iterdir()}
    assert {name.split(".")[0] for name in imported} - own <= sys.stdlib_module_names


def test_a_failed_step_shows_the_command_and_what_it_printed() -> None:
    with pytest.raises(steps.SetUpError, match=r"(?s)`sh -c .*` ended with 3:\nno such thing"):
        steps.run(["sh", "-c", "echo no such thing >&2; exit 3"])


def test_a_long_step_reports_its_progress_repeatedly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps, "REMINDER_INTERVAL", 0.01)
    assert steps.run(["sh", "-c", "sleep 0.1; echo done"]) == "done"
    assert capsys.readouterr().err.count("set-up: still running (") > 1


def test_downloads_stay_in_the_project_folder_unless_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    assert steps.run(["sh", "-c", "echo $UV_CACHE_DIR"]) == f"{PROJECT}/.python/cache/uv"
    monkeypatch.setenv("UV_CACHE_DIR", "/elsewhere")
    assert steps.run(["sh", "-c", "echo $UV_CACHE_DIR"]) == "/elsewhere"


def test_the_error_names_a_missing_program() -> None:
    with pytest.raises(steps.SetUpError, match="no-such-program could not be started"):
        steps.run(["no-such-program"])


def test_uv_on_the_path_is_used(machine: Path) -> None:
    installed = program(machine / "bin/uv", "echo uv 99.0.1")
    assert toolchain.find_uv() == installed


def test_a_downloaded_uv_is_used_if_the_one_on_the_path_is_too_old(machine: Path) -> None:
    program(machine / "bin/uv", "echo uv 0.1.45")
    downloaded = program(machine / "tools/uv/bin/uv", "echo uv 99.0.1")
    assert toolchain.find_uv() == downloaded


def test_without_uv_and_pip_the_error_names_what_to_install(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = program(machine / "bin/python3", "echo No module named pip; exit 1")
    monkeypatch.setattr(sys, "executable", bare)
    with pytest.raises(steps.SetUpError, match="install your system's python3-venv, or uv"):
        toolchain.find_uv()


def test_an_installed_python_is_used(machine: Path) -> None:
    found = """case "$*" in --version) echo uv 99.0;; *">=3.14.2,<3.15") echo /a/python3.14;; esac"""
    program(machine / "bin/uv", found)
    assert toolchain.find_python("3.14") == "/a/python3.14"


def test_the_error_names_an_unavailable_python(machine: Path) -> None:
    program(machine / "bin/uv", 'case "$*" in --version) echo uv 99.0;; *) echo no network; exit 2;; esac')
    with pytest.raises(steps.SetUpError, match=r"(?s)no Python 3\.14\.2 or later 3\.14.*no network"):
        toolchain.find_python("3.14")


def test_debian_packages_come_from_the_configured_archive(machine: Path) -> None:
    addresses = "http://mirror.invalid/debian-security/ http://mirror.invalid/debian/ http://else.invalid/"
    program(machine / "bin/apt-get", f"for address in {addresses}; do echo $address; done")
    assert debian._archive() == "http://mirror.invalid/debian/"


def test_the_error_reports_a_missing_debian_archive(machine: Path) -> None:
    program(machine / "bin/apt-get", "echo http://mirror.invalid/ubuntu/")
    with pytest.raises(steps.SetUpError, match="name no Debian archive"):
        debian._archive()


def test_servers_are_unpacked_once_and_again_when_the_folder_was_moved(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("apt-get", "dpkg"):
        program(machine / "bin" / name, "true")
    unpacked: list[str] = []

    def unpack(suite: str, packages: list[str], root: Path) -> None:
        unpacked.append(suite)
        for file, content in {
            "usr/lib/libc/libc.so.6": "",
            "usr/lib/ld-linux.so.2": "",
            "usr/sbin/mariadbd": "\x7fELF /lib/ld-linux.so.2",
            "usr/lib/erlang/erts-1/bin/start.src": "text",
            "usr/lib/erlang/bin/erl": "ROOTDIR=/usr/lib/erlang\n",
        }.items():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(content)

    monkeypatch.setattr(servers, "unpack", unpack)
    monkeypatch.setattr(
        servers, "find_patchelf", lambda: [program(machine / "patchelf", "echo $* >> $0.calls")]
    )
    folder = servers.find_servers("newest")
    assert servers.find_servers("newest") == folder
    [call] = (machine / "patchelf.calls").read_text().splitlines()
    assert call.startswith(f"--set-interpreter {folder}/usr/lib/ld-linux.so.2 --force-rpath --set-rpath ")
    assert call.endswith("/usr/sbin/mariadbd")
    assert (folder / "usr/lib/erlang/bin/erl").read_text() == f"ROOTDIR={folder}/usr/lib/erlang\n"
    (machine / "tools").rename(machine / "moved")
    monkeypatch.setattr(servers, "TOOLS", machine / "moved")
    servers.find_servers("newest")
    assert unpacked == ["forky", "forky"]


def test_without_debians_tools_newer_servers_are_unavailable(machine: Path) -> None:
    with pytest.raises(steps.SetUpError, match=r"RabbitMQ and MariaDB: .* not Debian"):
        servers.find_servers("newest")


def test_no_service_is_started_while_packages_are_installed(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = machine / "policy-rc.d"
    monkeypatch.setattr(debian, "POLICY", policy)
    calls = machine / "asked"
    program(machine / "bin/apt-get", f"{policy}; echo $? >> {calls}; echo $* >> {calls}")
    debian.install(["chromium"])
    assert calls.read_text().splitlines() == [
        "101", "update",
        "101", "-y --no-install-recommends install chromium",
    ]  # fmt: skip
    assert not policy.exists()


@pytest.fixture
def uv_log(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the log of a uv that finds every Python, creates every environment, and compiles nothing."""
    monkeypatch.setattr(environments, "ENVIRONMENTS", machine / "environments")
    log = machine / "uv.log"
    log.touch()
    text = f"""
    case "$*" in
        --version) echo uv 99.0; exit;;
        "python find"*) echo /a/python; exit;;
        venv*) for folder; do :; done; /bin/mkdir -p $folder/bin; : > $folder/bin/python;;
    esac
    echo "$*" >> {log}
    case "$*" in *compiled.in) exit 1;; esac"""
    program(machine / "bin/uv", text)
    return log


def test_a_locked_environment_has_the_locked_packages_and_the_project(uv_log: Path) -> None:
    python = environments.environment("scripts-3.14")
    (venv, sync, install) = uv_log.read_text().splitlines()
    assert venv.endswith(f"--python /a/python {python.parents[1]}")
    assert sync.endswith(f"--require-hashes {PROJECT}/tests/requirements-scripts.txt")
    assert install.endswith(f"--no-deps --editable {PROJECT}")


def test_an_environment_is_created_once_and_recreated_if_its_files_change(
    uv_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments.environment("locked")
    uv_log.write_text("")
    environments.environment("locked")
    assert uv_log.read_text() == ""
    changed = tmp_path / "pyproject.toml"
    changed.write_text("other")
    monkeypatch.setattr(environments, "PYPROJECT", changed)
    environments.environment("locked")
    assert uv_log.read_text() != ""


def test_an_incomplete_environment_is_recreated(uv_log: Path, machine: Path) -> None:
    working = (machine / "bin/uv").read_text()
    program(machine / "bin/uv", working + 'case "$*" in *sync*) exit 1;; esac')
    with pytest.raises(steps.SetUpError, match="pip sync"):
        environments.environment("locked")
    program(machine / "bin/uv", working)
    uv_log.write_text("")
    environments.environment("locked")
    assert "pip sync" in uv_log.read_text()


def test_packages_that_cannot_be_compiled_are_skipped_and_reported(
    uv_log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environments.environment("newest")
    assert "--editable" in uv_log.read_text().splitlines()[-1]
    assert "requirements-newest-compiled.in names could not be compiled here" in capsys.readouterr().err


def test_an_unknown_environment_is_a_usage_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "development.environments", "newset"],
        cwd=PROJECT / "scripts",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "unknown environment newset: choose from locked, oldest, newest" in done.stderr
