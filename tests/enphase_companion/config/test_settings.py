"""Settings: the precedence of their sources, invalid values and their errors, and warnings."""

from __future__ import annotations

import json
import logging
from argparse import Namespace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any
from urllib.parse import unquote

import pytest
from yarl import URL

from enphase_api.cloud import AUTHENTICATION_HOST
from enphase_companion import commands
from enphase_companion.commands import gateway_console
from enphase_companion.config.loader import load_settings, store
from enphase_companion.config.settings import (
    CREDENTIALS_FILES,
    GATEWAY_KEYS,
    SETTINGS,
    Settings,
    option,
    variable,
)
from enphase_companion.runtime.errors import SettingsError
from enphase_companion.runtime.redaction import redact

FILE = "credentials.json"
CONFIGURATION = Path(__file__).parents[3] / "configuration"
EXAMPLES = ("credentials.json.example", "credentials_token.json.example")
#: Settings that can be loaded without a token or an account.
NO_CREDENTIALS = tuple(name for name in SETTINGS if name != "gateway_token")

pytestmark = pytest.mark.usefixtures("home_folder")


def write_file(content: Any, folder: str = "configuration", name: str = FILE) -> Path:
    file = Path(folder).absolute() / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    file.chmod(0o600)
    return file


def load(*names: str, **options: Any) -> Settings:
    return load_settings(names or NO_CREDENTIALS, Namespace(**{"configuration": None, **options}))


def load_error(**content: Any) -> str:
    write_file(content)
    with pytest.raises(SettingsError) as error:
        load(*SETTINGS)
    assert error.value.exit_status == 2
    return str(error.value)


def test_options_precede_environment_then_systemd_then_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load().gateway_host == "https://envoy.local"
    write_file({"gateway_host": "https://of-file"})
    assert load().gateway_host == "https://of-file"
    (tmp_path / "gateway_host").write_text("https://of-systemd\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert load().gateway_host == "https://of-systemd"
    monkeypatch.setenv("ENPHASE_GATEWAY_HOST", "https://of-environment")
    assert load().gateway_host == "https://of-environment"
    assert load(gateway_host="https://of-option").gateway_host == "https://of-option"


def test_an_empty_value_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    write_file({"gateway_token": "", "gateway_host": "https://of-file"})
    monkeypatch.setenv("ENPHASE_GATEWAY_HOST", "")
    assert load().gateway_host == "https://of-file"
    assert load().gateway_token is None


def test_a_setting_has_one_name_in_all_sources() -> None:
    assert variable("gateway_host") == "ENPHASE_GATEWAY_HOST"
    assert variable("enphase_password") == "ENPHASE_PASSWORD"
    assert option("enphase_username") == "--enphase-username"
    assert len({variable(name) for name in SETTINGS}) == len(SETTINGS)


@pytest.mark.parametrize("separator", [" ", "="])
@pytest.mark.parametrize("name", [name for name in SETTINGS if SETTINGS[name].metadata["secret"]])
def test_a_secret_is_never_an_option(name: str, separator: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        gateway_console.main(f"{option(name)}{separator}planted".split())
    assert end.value.code == 2
    error_text = capsys.readouterr().err
    assert f"{name} is a secret" in error_text
    assert f"as {variable(name)}" in error_text
    assert "planted" not in error_text


@pytest.mark.parametrize("secret", ["gateway_token", "enphase_password"])
def test_secrets_come_from_environment_systemd_and_file(
    secret: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_file({"enphase_username": "me@of-file", secret: "of-file"})
    assert getattr(load(*SETTINGS), secret) == "of-file"
    (tmp_path / secret).write_text("of-systemd")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert getattr(load(*SETTINGS), secret) == "of-systemd"
    monkeypatch.setenv(variable(secret), "of-environment")
    assert getattr(load(*SETTINGS), secret) == "of-environment"


def test_no_environment_variable_redirects_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENPHASE_ENTREZ_HOST", "https://planted.example")
    assert load().entrez_host == AUTHENTICATION_HOST
    write_file({"entrez_host": "https://of-file"})
    assert load().entrez_host == "https://of-file"
    assert load(entrez_host="https://of-option").entrez_host == "https://of-option"


def test_a_named_folder_precedes_the_working_directory_then_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = ".config/enphase-iq-gateway"
    assert load().folder == tmp_path / home
    write_file({"gateway_host": "https://of-home"}, home)
    assert load().gateway_host == "https://of-home"
    Path("configuration").mkdir()
    assert load().gateway_host == "https://of-home", "a folder without the file is passed over"
    write_file({"gateway_host": "https://of-here"})
    assert load().gateway_host == "https://of-here"
    write_file({"gateway_host": "https://of-variable"}, "variable")
    monkeypatch.setenv("ENPHASE_CONFIGURATION", "variable")
    assert load().gateway_host == "https://of-variable"
    write_file({"gateway_host": "https://of-option"}, "option")
    assert load(configuration="option").gateway_host == "https://of-option"
    assert load(configuration="nowhere").gateway_host == "https://envoy.local"


def test_the_certificate_is_stored_beside_the_credentials() -> None:
    file = write_file({})
    assert load().certificate_file == file.parent / "gateway.cer"


def test_the_trust_command_names_the_configured_folder() -> None:
    assert load().trust_command == "enphase-gateway-console --trust"
    named = load(configuration="option").trust_command
    assert named == "enphase-gateway-console --trust --configuration option"


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("gateway_host", "ftp://planted.example", "must begin with https://"),
        ("gateway_host", "https://planted..example/home", "such as https://envoy.local"),
        ("gateway_host", "https://me:planted@envoy.local", "use only its name or address"),
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
        ("interval", -7, "must be a number of seconds from 1 to 3600"),
        ("interval", "0.1", "must be a number of seconds from 1 to 3600"),
        ("interval", 10**400, "must be a number of seconds from 1 to 3600"),
        ("spool_limit", 0.25, "must be a number from 1 to 1000000"),
        ("spool_limit", 1.5, "must be a whole number from 1 to 1000000"),
        ("rotation", 300, "must be 0, 90, 180 or 270"),
        ("rotation", 45, "must be 0, 90, 180 or 270"),
        ("amqp_host", "planted.example:0", "must be a host such as broker.example, or several"),
        ("amqp_host", "me@planted.example", "must be a host such as broker.example, or several"),
        ("amqp_host", "planted.example,,two.example", "must be a host such as broker.example, or several"),
        ("amqp_host", "amqp://planted.example", "must be a host such as broker.example, or several"),
        ("amqp_url", "amqp://me:me@planted.example,/", "must be an address such as amqps://"),
        ("amqp_url", "amqp://me:me@planted.example,two:x/", "must be an address such as amqps://"),
        ("amqp_url", "amqp://me:plan/ted@broker.example/", "written %40 %3A %2F %23 %3F"),
        ("amqp_url", "amqp://me:23608#planted@broker.example/", "written %40 %3A %2F %23 %3F"),
        ("amqp_url", "amqp://me:23608/planted@broker.example/", "written %40 %3A %2F %23 %3F"),
        (
            "amqp_url",
            "amqp://me:23608?planted@broker.example/",
            "amqp_password, which take them as they are",
        ),
    ],
)
def test_the_error_of_an_invalid_value_names_its_file_and_remedy_but_not_the_value(
    name: str, value: Any, remedy: str
) -> None:
    message = load_error(**{name: value})
    prefix = f"{Path.cwd()}/configuration/credentials.json: {name}: "
    assert message.startswith(prefix)
    reason = message.removeprefix(prefix)
    assert remedy in reason
    assert "planted" not in reason
    assert str(value) not in reason


def test_the_error_names_the_invalid_variable_or_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENPHASE_GATEWAY_SERIAL_NUMBER", "planted")
    with pytest.raises(SettingsError, match=r"^ENPHASE_GATEWAY_SERIAL_NUMBER: must be the 12 digits"):
        load()
    with pytest.raises(SettingsError, match=r"^--gateway-serial-number: must be"):
        load(gateway_serial_number="planted")


def test_values_are_accepted_in_common_spellings() -> None:
    write_file(
        {
            "gateway_serial_number": 122300000001,
            "gateway_token": "eyJ\n  abc.def\n",
            "gateway_host": " http://192.168.1.20/home ",
            "entrez_host": "http://127.0.0.1:8080",
            "latitude": "51.46",
            "longitude": -2.6,
            "enphase_password": " with spaces ",
        }
    )
    found = load(*SETTINGS)
    assert found.gateway_serial_number == "122300000001"
    assert found.gateway_token == "eyJabc.def"
    assert found.gateway_host == "https://192.168.1.20"
    assert found.entrez_host == "http://127.0.0.1:8080"
    assert (found.latitude, found.longitude) == (51.46, -2.6)
    assert found.enphase_password == " with spaces "


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gateway_serial_number", "012345678912"),
        ("enphase_username", "you@example.com"),
        ("enphase_password", "your password"),
        ("enphase_password", "P4ssW0rd123"),
    ],
)
def test_values_of_the_examples_are_rejected(name: str, value: str) -> None:
    assert f"{name}: still has the value of the example" in load_error(**{name: value})


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_user_only_fills_in_token_or_account_in_the_examples(example: str) -> None:
    content = json.loads((CONFIGURATION / example).read_text())
    needed = dict.fromkeys(("gateway_token", "enphase_username", "enphase_password"), "filled-in")
    write_file(content | {name: value for name, value in needed.items() if name in content}, name=example)
    (Path("configuration") / example).rename(Path("configuration") / example.removesuffix(".example"))
    assert load(*SETTINGS).gateway_token == "filled-in"


def test_the_examples_contain_every_setting_of_a_script() -> None:
    modules = [import_module(f"{commands.__name__}.{each.name}") for each in iter_modules(commands.__path__)]
    used = {name for module in modules for name in getattr(module, "KEYS", ())}
    account = {"enphase_username", "enphase_password", "enphase_site", "entrez_host"}
    of_account, of_token = (json.loads((CONFIGURATION / example).read_text()).keys() for example in EXAMPLES)
    assert of_token == used - account
    assert of_account == {*account, "gateway_host", "gateway_serial_number", "gateway_token"}


def test_either_file_is_sufficient_and_the_token_file_takes_precedence() -> None:
    account = {"enphase_username": "me@example.org", "enphase_password": "secret"}
    with_account = write_file({**account, "gateway_host": "https://of-account"}, name="credentials.json")
    assert load(*SETTINGS).has_account
    with_token = write_file(
        {"gateway_token": "eyJ", "gateway_host": "https://of-token"}, name="credentials_token.json"
    )
    both = load(*SETTINGS)
    assert both.gateway_host == "https://of-token"
    assert both.where("gateway_token") == f"{with_token}: gateway_token"
    assert both.has_account, "the token can be renewed, though the account is in the other file"
    assert both.where("enphase_password") == f"{with_account}: enphase_password"
    with_account.unlink()
    assert load(*SETTINGS).gateway_token == "eyJ"


@pytest.mark.parametrize(
    ("token_file", "stored_in"),
    [
        ({"gateway_token": "eyJ"}, "credentials_token.json"),
        ({"gateway_token": ""}, "credentials.json"),
        ({"amqp_host": "broker.example"}, "credentials.json"),
        (None, "credentials.json"),
    ],
)
def test_a_new_token_is_stored_in_the_old_ones_file_or_with_the_account(
    token_file: dict[str, str] | None, stored_in: str
) -> None:
    write_file({"enphase_username": "me@example.org", "enphase_password": "secret"})
    if token_file is not None:
        write_file(token_file, name="credentials_token.json")
    store(load(*SETTINGS), "gateway_token", "new")
    assert json.loads((Path("configuration") / stored_in).read_text())["gateway_token"] == "new"
    assert load(*SETTINGS).gateway_token == "new"


def load_credentials_error(**options: Any) -> str:
    with pytest.raises(SettingsError) as error:
        load(*SETTINGS, **options)
    assert error.value.exit_status == 2
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_error_of_missing_credentials_names_the_searched_files(tmp_path: Path) -> None:
    home = tmp_path / ".config/enphase-iq-gateway"
    files = [tmp_path / "configuration", home]
    message = load_credentials_error()
    named = ", ".join(str(folder / name) for folder in files for name in CREDENTIALS_FILES)
    assert message.startswith(f"none of these credentials files exists: {named}; ")
    assert "enphase_username" in message
    assert "gateway_token" in message
    message = load_credentials_error(configuration="option")
    assert f"{tmp_path}/option/credentials_token.json, {tmp_path}/option/credentials.json;" in message
    assert str(home) not in message


def test_the_error_of_an_incomplete_account_names_the_missing_setting() -> None:
    file = write_file({"enphase_username": "me@example.org"})
    message = load_credentials_error()
    assert message == f"{file}: enphase_password: is missing: {file}: enphase_username alone is of no use"
    write_file({"enphase_password": "secret"})
    assert load_credentials_error().startswith(f"{file}: enphase_username: is missing")


@pytest.mark.parametrize("names", [CREDENTIALS_FILES[:1], CREDENTIALS_FILES[1:], CREDENTIALS_FILES])
def test_files_without_token_and_account_are_named(names: tuple[str, ...]) -> None:
    there = [write_file({"gateway_token": ""}, name=name) for name in names]
    message = load_credentials_error()
    assert message.startswith(f"{' and '.join(map(str, there))}: no gateway_token and no enphase_username")


def test_credentials_may_be_in_the_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENPHASE_USERNAME", "me@example.org")
    assert load_credentials_error().endswith(
        "enphase_password: is missing: ENPHASE_USERNAME alone is of no use"
    )
    monkeypatch.setenv("ENPHASE_PASSWORD", "secret")
    assert load(*SETTINGS).has_account


def test_only_the_settings_of_a_command_are_checked() -> None:
    write_file({"latitude": "planted", "gateway_host": "https://of-file"})
    assert load("gateway_host").gateway_host == "https://of-file"


@pytest.mark.parametrize(
    ("text", "error_text"),
    [
        ('{"gateway_host": "planted" "x": 1}', "line 1, column 28: not valid JSON (Expecting ',' delimiter)"),
        ('["planted"]', "must hold one JSON object"),
        ("", "line 1, column 1: not valid JSON"),
        ('{"gateway_token": "planted\\ud800"}', "holds values that no setting can have"),
        (f'{{"planted": {"1" * 5000}}}', "holds values that no setting can have"),
        (f'{{"planted": {"[" * 100_000}{"]" * 100_000}}}', "holds values that no setting can have"),
    ],
)
def test_the_error_of_a_broken_file_names_the_position_but_not_the_content(
    text: str, error_text: str
) -> None:
    write_file(text)
    with pytest.raises(SettingsError) as error:
        load()
    assert error_text in str(error.value)
    assert "configuration/credentials.json" in str(error.value)
    assert "planted" not in str(error.value)
    assert error.value.__cause__ is None, "the error of json contains the whole text"
    assert error.value.__context__ is None or error.value.__suppress_context__


def test_an_unreadable_file_is_an_error() -> None:
    Path("configuration/credentials.json").mkdir(parents=True)
    with pytest.raises(SettingsError, match="cannot be read \\(Is a directory\\)"):
        load()


def test_a_file_that_is_not_utf8_is_an_error() -> None:
    file = write_file("{}")
    file.write_bytes('{"enphase_password": "ä"}'.encode("latin-1"))
    with pytest.raises(SettingsError, match="it is not UTF-8 text"):
        load()


def test_a_file_written_on_windows_is_read() -> None:
    file = write_file("{}")
    file.write_bytes(b'\xef\xbb\xbf{\r\n"gateway_host": "https://of-file"\r\n}')
    assert load().gateway_host == "https://of-file"


def test_a_file_instead_of_the_folder_is_an_error() -> None:
    file = write_file({})
    with pytest.raises(SettingsError, match="is a file: name its folder"):
        load(configuration=str(file))


def test_the_warning_of_an_unknown_key_suggests_a_similar_one(caplog: pytest.LogCaptureFixture) -> None:
    file = write_file({"gateway_hots": "planted", "colour_of_the_roof": "planted"})
    load()
    assert caplog.messages == [
        f"{file}: unknown key gateway_hots is ignored: did you mean gateway_host?",
        f"{file}: unknown key colour_of_the_roof is ignored",
    ]


def test_keys_of_other_scripts_cause_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    write_file({"amqp_host": "localhost", "database_password": "x", "latitude": 1, "longitude": 1})
    load("gateway_host")
    assert not caplog.messages


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_secrets_readable_by_others_cause_a_warning(mode: int, caplog: pytest.LogCaptureFixture) -> None:
    file = write_file({"gateway_host": "https://of-file", "enphase_password": "planted"})
    file.chmod(mode)
    load()
    assert caplog.messages == [
        (f"{file}: other users of this machine can read its enphase_password: run chmod 600 {file}")
    ]


def test_a_file_without_secrets_may_be_readable_by_all(caplog: pytest.LogCaptureFixture) -> None:
    file = write_file({"gateway_host": "https://of-file", "gateway_token": ""})
    file.chmod(0o644)
    load()
    assert not caplog.messages


def test_the_representation_of_settings_shows_no_secret() -> None:
    write_file(
        {"gateway_token": "planted-1", "enphase_password": "planted-2", "enphase_username": "planted-3"}
    )
    assert "planted" not in repr(load(*SETTINGS))


def test_storing_a_setting_changes_no_other(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    content = {
        "zebra": 1,
        "gateway_token": "old",
        "enphase_password": "päss",
        "gateway_host": "https://of-file",
    }
    file = write_file(content)
    file.chmod(0o644)
    store(load(), "gateway_token", "new")
    assert list(json.loads(file.read_text()).items()) == list({**content, "gateway_token": "new"}.items())
    assert "päss" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == [FILE]


def test_a_missing_file_is_created_to_store_a_setting(tmp_path: Path) -> None:
    store(load(), "gateway_token", "new")
    file = tmp_path / ".config/enphase-iq-gateway" / FILE
    assert json.loads(file.read_text()) == {"gateway_token": "new"}
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "password",
    [
        "Pa@WORD",
        "Pa@23608",
        "23608/WORD",
        "23608#WORD",
        "23608?WORD",
        "Pa:WORD@x",
        "Pa/@WORD",
        "@WORD",
        "#WORD",
    ],
)
def test_a_brokers_password_with_reserved_characters_never_appears_in_the_error(password: str) -> None:
    error_text = load_error(amqp_url=f"amqp://me:{password}@broker.lan/")
    assert "amqp_url: must be an address such as amqps://" in error_text
    assert (
        "@ : / # ? % are written %40 %3A %2F %23 %3F %25, or set amqp_host, amqp_username and amqp_password"
        in error_text
    )
    assert "WORD" not in error_text
    assert "23608" not in error_text


@pytest.mark.parametrize("password", ["Pa%40WORD", "a%3A%2F%23%3F%25z", "Pa:WORD", "grün"])
def test_a_brokers_percent_encoded_password_is_decoded(password: str) -> None:
    write_file({"amqp_url": f"amqps://me:{password}@broker.lan:5671/solar"})
    url = URL(str(load("amqp_url").amqp_url))
    assert (url.password, url.host, url.port) == (unquote(password), "broker.lan", 5671)


def test_errors_hide_the_password_of_a_url_but_show_a_file_name() -> None:
    write_file({"database_url": "mysql://me:open%40sesame@db/x", "import_database_url": "enphase.db"})
    load("database_url", "import_database_url")
    assert redact("me came in with open%40sesame or open@sesame") == "me came in with [hidden] or [hidden]"
    assert redact("enphase.db: no such file") == "enphase.db: no such file"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://homeassistant.local:8123", "https://homeassistant.local:8123"),
        ("http://192.0.2.7:8123/", "http://192.0.2.7:8123"),
        ("https://ha.example", "https://ha.example"),
    ],
)
def test_home_assistants_address_is_taken_with_its_scheme(address: str, expected: str) -> None:
    write_file({"home_assistant_url": address, "home_assistant_token": "token"})
    assert load(*SETTINGS).home_assistant_url == expected


@pytest.mark.parametrize(
    "address",
    [
        "homeassistant.local:8123",
        "ws://homeassistant.local:8123",
        "http://",
        "http://user:planted@homeassistant.local:8123",
        "http://homeassistant.local:8123/lovelace/0",
        "http://[::1",
    ],
)
def test_an_invalid_address_of_home_assistant_is_an_error(address: str) -> None:
    message = load_error(home_assistant_url=address, home_assistant_token="token")
    assert "home_assistant_url: must be an address such as https://homeassistant.local:8123" in message
    assert "planted" not in message


def test_home_assistant_takes_the_place_of_token_and_account() -> None:
    write_file({"home_assistant_url": "http://ha.example:8123", "home_assistant_token": "planted-token"})
    settings = load(*SETTINGS)
    assert settings.gateway_token is None
    assert settings.home_assistant_token == "planted-token"
    assert "planted-token" not in f"{settings!r}{redact('planted-token')}"


@pytest.mark.parametrize("missing", ["home_assistant_url", "home_assistant_token"])
def test_half_of_home_assistants_settings_is_an_error(missing: str) -> None:
    both = {"home_assistant_url": "http://ha.example:8123", "home_assistant_token": "token"}
    del both[missing]
    assert f"{missing}: is missing" in load_error(**both)


def test_what_needs_the_gateway_says_so_if_only_home_assistant_is_set() -> None:
    both = {"home_assistant_url": "http://ha.example:8123", "home_assistant_token": "token"}
    write_file(both)
    with pytest.raises(
        SettingsError, match="home_assistant_url: this needs the gateway itself: also set gatew"
    ):
        load(*GATEWAY_KEYS)
    write_file({**both, "gateway_token": "eyJ"})
    assert load(*GATEWAY_KEYS).gateway_token == "eyJ"
