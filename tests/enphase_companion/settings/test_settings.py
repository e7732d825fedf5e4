"""Settings: which of several wins, what is refused and how, what an owner is warned of."""

from __future__ import annotations

import json
import logging
from argparse import Namespace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest

from enphase_companion import commands
from enphase_companion.commands import gateway_console
from enphase_companion.running.errors import SettingsError
from enphase_companion.settings.keys import KEYS, Settings, option, variable
from enphase_companion.settings.reading import read, store
from enphase_companion.settings.rules import RULES

FILE = "credentials.json"
CONFIGURATION = Path(__file__).parents[3] / "configuration"
EXAMPLES = ("credentials.json.example", "credentials_token.json.example")

pytestmark = pytest.mark.usefixtures("elsewhere")


def set_in_file(content: Any, folder: str = "configuration") -> Path:
    file = Path(folder) / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    file.chmod(0o600)
    return file


def settings(*names: str, **options: Any) -> Settings:
    return read(FILE, names or KEYS, Namespace(**{"configuration": None, **options}))


def refusal(**content: Any) -> str:
    set_in_file(content)
    with pytest.raises(SettingsError) as error:
        settings()
    assert error.value.exit_status == 2
    return str(error.value)


def test_option_wins_over_environment_over_systemd_over_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert settings().gateway_host == "https://envoy.local"
    set_in_file({"gateway_host": "https://of-file"})
    assert settings().gateway_host == "https://of-file"
    (tmp_path / "gateway_host").write_text("https://of-systemd\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert settings().gateway_host == "https://of-systemd"
    monkeypatch.setenv("ENPHASE_GATEWAY_HOST", "https://of-environment")
    assert settings().gateway_host == "https://of-environment"
    assert settings(gateway_host="https://of-option").gateway_host == "https://of-option"


def test_what_is_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    set_in_file({"gateway_token": "", "gateway_host": "https://of-file"})
    monkeypatch.setenv("ENPHASE_GATEWAY_HOST", "")
    assert settings().gateway_host == "https://of-file"
    assert settings().gateway_token is None


def test_a_key_has_one_name_everywhere() -> None:
    assert variable("gateway_host") == "ENPHASE_GATEWAY_HOST"
    assert variable("enphase_password") == "ENPHASE_PASSWORD"
    assert option("enphase_username") == "--enphase-username"
    assert len({variable(name) for name in KEYS}) == len(KEYS)


@pytest.mark.parametrize("name", [name for name in KEYS if KEYS[name].metadata["secret"]])
def test_a_secret_is_never_an_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        gateway_console.main([option(name), "planted"])
    assert end.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize("secret", ["gateway_token", "enphase_password"])
def test_secrets_come_from_environment_systemd_and_file(
    secret: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_in_file({secret: "of-file"})
    assert getattr(settings(), secret) == "of-file"
    (tmp_path / secret).write_text("of-systemd")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert getattr(settings(), secret) == "of-systemd"
    monkeypatch.setenv(variable(secret), "of-environment")
    assert getattr(settings(), secret) == "of-environment"


def test_the_folder_that_is_named_wins_then_here_then_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = ".config/enphase-iq-gateway"
    assert settings().file == tmp_path / home / FILE
    set_in_file({"gateway_host": "https://of-home"}, home)
    assert settings().gateway_host == "https://of-home"
    Path("configuration").mkdir()
    assert settings().gateway_host == "https://of-home", "a folder without the file is passed over"
    set_in_file({"gateway_host": "https://of-here"})
    assert settings().gateway_host == "https://of-here"
    set_in_file({"gateway_host": "https://of-variable"}, "variable")
    monkeypatch.setenv("ENPHASE_CONFIGURATION", "variable")
    assert settings().gateway_host == "https://of-variable"
    set_in_file({"gateway_host": "https://of-option"}, "option")
    assert settings(configuration="option").gateway_host == "https://of-option"
    assert settings(configuration="nowhere").gateway_host == "https://envoy.local"


def test_the_certificate_lies_beside_the_credentials() -> None:
    file = set_in_file({})
    assert settings().certificate_file == file.parent / "gateway.cer"


def test_the_command_to_trust_names_the_folder_that_was_named() -> None:
    assert settings().trust_command == "enphase-gateway-console --trust"
    named = settings(configuration="option").trust_command
    assert named == "enphase-gateway-console --trust --configuration option"


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        ("gateway_host", "http://planted.example", "must begin with https://"),
        ("gateway_host", "https://planted.example/home", "only the name or address"),
        ("gateway_host", "https://me:planted@envoy.local", "only the name or address"),
        ("gateway_host", ["planted"], "must be a text"),
        ("gateway_serial_number", "planted", "12 digits"),
        ("gateway_serial_number", 1234567890123, "12 digits"),
        ("gateway_serial_number", True, "must be a text"),
        ("gateway_token", {"planted": 1}, "must be a text"),
        ("enphase_username", 7777, "must be a text"),
        ("enphase_password", 7777, "must be a text"),
        ("entrez_host", "http://planted.example", "must begin with https://"),
        ("latitude", "planted", "from -90 to 90"),
        ("latitude", 90.1, "from -90 to 90"),
        ("longitude", -180.5, "from -180 to 180"),
        ("longitude", True, "from -180 to 180"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place_and_cure_but_never_shown(
    name: str, value: Any, cure: str
) -> None:
    message = refusal(**{name: value})
    assert message.startswith(f"configuration/credentials.json: {name}: ")
    assert cure in message
    assert "planted" not in message
    assert str(value) not in message


def test_a_refusal_names_the_variable_or_option_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENPHASE_GATEWAY_SERIAL_NUMBER", "planted")
    with pytest.raises(SettingsError, match=r"^ENPHASE_GATEWAY_SERIAL_NUMBER: must be the 12 digits"):
        settings()
    with pytest.raises(SettingsError, match=r"^--gateway-serial-number: must be"):
        settings(gateway_serial_number="planted")


def test_values_are_taken_as_owners_write_them() -> None:
    set_in_file(
        {
            "gateway_serial_number": 122300000001,
            "gateway_token": "eyJ\n  abc.def\n",
            "gateway_host": " 192.168.1.20 ",
            "entrez_host": "http://127.0.0.1:8080",
            "latitude": "51.46",
            "longitude": -2.6,
            "enphase_password": " with spaces ",
        }
    )
    found = settings()
    assert found.gateway_serial_number == "122300000001"
    assert found.gateway_token == "eyJabc.def"
    assert found.gateway_host == "https://192.168.1.20"
    assert found.entrez_host == "http://127.0.0.1:8080"
    assert (found.latitude, found.longitude) == (51.46, -2.6)
    assert found.enphase_password == " with spaces "


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_only_an_example_holds_is_refused(example: str) -> None:
    content = json.loads((CONFIGURATION / example).read_text())
    placeholders = {name for name in content if KEYS[name].metadata["placeholders"]}
    assert "gateway_serial_number" in placeholders
    for name in placeholders:
        assert f"{name}: still has the value of the example" in refusal(**{name: content[name]})
    set_in_file({name: content[name] for name in content.keys() - placeholders})
    settings()


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_holds_every_key_that_a_script_reads_from_it(example: str) -> None:
    modules = [import_module(f"{commands.__name__}.{each.name}") for each in iter_modules(commands.__path__)]
    read = [module for module in modules if hasattr(module, "FILE")]
    read_from_it = [{*module.KEYS} for module in read if f"{module.FILE}.example" == example]
    assert json.loads((CONFIGURATION / example).read_text()).keys() == set().union(*read_from_it)


def test_only_what_a_command_reads_is_checked() -> None:
    set_in_file({"latitude": "planted", "gateway_host": "https://of-file"})
    assert settings("gateway_host").gateway_host == "https://of-file"


def test_every_key_has_a_rule() -> None:
    assert RULES.keys() == KEYS.keys()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"gateway_host": "planted" "x": 1}', "line 1, column 28: not valid JSON (Expecting ',' delimiter)"),
        ('["planted"]', "should hold one JSON object"),
        ("", "line 1, column 1: not valid JSON"),
    ],
)
def test_a_broken_file_is_refused_with_the_place_but_not_its_content(text: str, said: str) -> None:
    set_in_file(text)
    with pytest.raises(SettingsError) as error:
        settings()
    assert said in str(error.value)
    assert "configuration/credentials.json" in str(error.value)
    assert "planted" not in str(error.value)
    assert error.value.__cause__ is None, "json's own error holds the whole text"
    assert error.value.__context__ is None or error.value.__suppress_context__


def test_a_file_that_cannot_be_read_is_refused() -> None:
    Path("configuration/credentials.json").mkdir(parents=True)
    with pytest.raises(SettingsError, match="cannot be read \\(Is a directory\\)"):
        settings()


def test_a_file_that_is_not_utf8_is_refused() -> None:
    file = set_in_file("{}")
    file.write_bytes('{"enphase_password": "ä"}'.encode("latin-1"))
    with pytest.raises(SettingsError, match="it is not UTF-8 text"):
        settings()


def test_a_file_that_windows_wrote_is_read() -> None:
    file = set_in_file("{}")
    file.write_bytes(b'\xef\xbb\xbf{\r\n"gateway_host": "https://of-file"\r\n}')
    assert settings().gateway_host == "https://of-file"


def test_a_file_in_place_of_the_folder_is_refused() -> None:
    file = set_in_file({})
    with pytest.raises(SettingsError, match="Give the folder that it lies in"):
        settings(configuration=str(file))


def test_an_unknown_key_is_named_with_the_one_that_was_meant(caplog: pytest.LogCaptureFixture) -> None:
    set_in_file({"gateway_hots": "planted", "colour_of_the_roof": "planted"})
    settings()
    assert caplog.messages == [
        "configuration/credentials.json: unknown key gateway_hots is not used. Did you mean gateway_host?",
        "configuration/credentials.json: unknown key colour_of_the_roof is not used.",
    ]


def test_keys_of_other_scripts_are_no_reason_to_warn(caplog: pytest.LogCaptureFixture) -> None:
    set_in_file({"amqp_host": "localhost", "database_password": "x", "latitude": 1, "longitude": 1})
    settings("gateway_host")
    assert not caplog.messages


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_secrets_that_others_can_read_are_warned_of(mode: int, caplog: pytest.LogCaptureFixture) -> None:
    file = set_in_file({"gateway_host": "https://of-file", "enphase_password": "planted"})
    file.chmod(mode)
    settings()
    assert caplog.messages == [
        (
            "configuration/credentials.json: others on this machine can read the enphase_password in it. "
            "Close it with: chmod 600 configuration/credentials.json"
        )
    ]


def test_a_file_without_secrets_may_be_read_by_all(caplog: pytest.LogCaptureFixture) -> None:
    file = set_in_file({"gateway_host": "https://of-file", "gateway_token": ""})
    file.chmod(0o644)
    settings()
    assert not caplog.messages


def test_settings_show_no_secret() -> None:
    set_in_file(
        {"gateway_token": "planted-1", "enphase_password": "planted-2", "enphase_username": "planted-3"}
    )
    assert "planted" not in repr(settings())


def test_what_is_stored_changes_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    content = {
        "zebra": 1,
        "gateway_token": "old",
        "enphase_password": "päss",
        "gateway_host": "https://of-file",
    }
    file = set_in_file(content)
    file.chmod(0o644)
    store(settings(), "gateway_token", "new")
    assert list(json.loads(file.read_text()).items()) == list({**content, "gateway_token": "new"}.items())
    assert "päss" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == [FILE]


def test_a_missing_file_is_made_to_store_something(tmp_path: Path) -> None:
    store(settings(), "gateway_token", "new")
    file = tmp_path / ".config/enphase-iq-gateway" / FILE
    assert json.loads(file.read_text()) == {"gateway_token": "new"}
    assert file.stat().st_mode & 0o777 == 0o600
