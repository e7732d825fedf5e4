"""Settings: which of several wins, what is refused and how, what an owner is warned of."""

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
from enphase_companion.config.settings import CREDENTIALS_FILES, SETTINGS, Settings, option, variable
from enphase_companion.runtime.errors import SettingsError
from enphase_companion.runtime.redaction import redact

FILE = "credentials.json"
CONFIGURATION = Path(__file__).parents[3] / "configuration"
EXAMPLES = ("credentials.json.example", "credentials_token.json.example")
#: What is read without wanting a token or an account.
NO_CREDENTIALS = tuple(name for name in SETTINGS if name != "gateway_token")

pytestmark = pytest.mark.usefixtures("home_folder")


def set_in_file(content: Any, folder: str = "configuration", name: str = FILE) -> Path:
    file = Path(folder).absolute() / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    file.chmod(0o600)
    return file


def settings(*names: str, **options: Any) -> Settings:
    return load_settings(names or NO_CREDENTIALS, Namespace(**{"configuration": None, **options}))


def refusal(**content: Any) -> str:
    set_in_file(content)
    with pytest.raises(SettingsError) as error:
        settings(*SETTINGS)
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
    set_in_file({"enphase_username": "me@of-file", secret: "of-file"})
    assert getattr(settings(*SETTINGS), secret) == "of-file"
    (tmp_path / secret).write_text("of-systemd")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert getattr(settings(*SETTINGS), secret) == "of-systemd"
    monkeypatch.setenv(variable(secret), "of-environment")
    assert getattr(settings(*SETTINGS), secret) == "of-environment"


def test_no_variable_moves_where_the_password_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENPHASE_ENTREZ_HOST", "https://planted.example")
    assert settings().entrez_host == AUTHENTICATION_HOST
    set_in_file({"entrez_host": "https://of-file"})
    assert settings().entrez_host == "https://of-file"
    assert settings(entrez_host="https://of-option").entrez_host == "https://of-option"


def test_the_folder_that_is_named_wins_then_here_then_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = ".config/enphase-iq-gateway"
    assert settings().folder == tmp_path / home
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
        ("interval", -7, "must be a number of seconds from 0.5 to 3600"),
        ("interval", "0.1", "must be a number of seconds from 0.5 to 3600"),
        ("interval", 10**400, "must be a number of seconds from 0.5 to 3600"),
        ("spool_limit", 0.25, "must be a number from 1 to 1000000"),
        ("spool_limit", 1.5, "must be a whole number from 1 to 1000000"),
        ("rotation", 300, "must be 0, 90, 180 or 270"),
        ("rotation", 45, "must be 0, 90, 180 or 270"),
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
def test_a_wrong_value_is_refused_with_its_place_and_cure_but_never_shown(
    name: str, value: Any, cure: str
) -> None:
    message = refusal(**{name: value})
    place = f"{Path.cwd()}/configuration/credentials.json: {name}: "
    assert message.startswith(place)
    reason = message.removeprefix(place)
    assert cure in reason
    assert "planted" not in reason
    assert str(value) not in reason


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
            "gateway_host": " http://192.168.1.20/home ",
            "entrez_host": "http://127.0.0.1:8080",
            "latitude": "51.46",
            "longitude": -2.6,
            "enphase_password": " with spaces ",
        }
    )
    found = settings(*SETTINGS)
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
def test_what_only_an_example_holds_is_refused(name: str, value: str) -> None:
    assert f"{name}: still has the value of the example" in refusal(**{name: value})


@pytest.mark.parametrize("example", EXAMPLES)
def test_of_an_example_only_what_an_owner_knows_is_to_be_filled_in(example: str) -> None:
    content = json.loads((CONFIGURATION / example).read_text())
    needed = dict.fromkeys(("gateway_token", "enphase_username", "enphase_password"), "filled-in")
    set_in_file(content | {name: value for name, value in needed.items() if name in content}, name=example)
    (Path("configuration") / example).rename(Path("configuration") / example.removesuffix(".example"))
    assert settings(*SETTINGS).gateway_token == "filled-in"


def test_the_examples_hold_every_key_that_a_script_reads() -> None:
    modules = [import_module(f"{commands.__name__}.{each.name}") for each in iter_modules(commands.__path__)]
    wanted = {name for module in modules for name in getattr(module, "KEYS", ())}
    account = {"enphase_username", "enphase_password", "entrez_host"}
    of_account, of_token = (json.loads((CONFIGURATION / example).read_text()).keys() for example in EXAMPLES)
    assert of_token == wanted - account
    assert of_account == {*account, "gateway_host", "gateway_serial_number", "gateway_token"}


def test_either_file_will_do_and_the_tokens_has_the_last_word() -> None:
    account = {"enphase_username": "me@example.org", "enphase_password": "secret"}
    with_account = set_in_file({**account, "gateway_host": "https://of-account"}, name="credentials.json")
    assert settings(*SETTINGS).has_account
    with_token = set_in_file(
        {"gateway_token": "eyJ", "gateway_host": "https://of-token"}, name="credentials_token.json"
    )
    both = settings(*SETTINGS)
    assert both.gateway_host == "https://of-token"
    assert both.where("gateway_token") == f"{with_token}: gateway_token"
    assert both.has_account, "the token can be renewed, though the account is in the other file"
    assert both.where("enphase_password") == f"{with_account}: enphase_password"
    with_account.unlink()
    assert settings(*SETTINGS).gateway_token == "eyJ"


@pytest.mark.parametrize(
    ("token_file", "stored_in"),
    [
        ({"gateway_token": "eyJ"}, "credentials_token.json"),
        ({"gateway_token": ""}, "credentials.json"),
        ({"amqp_host": "broker.example"}, "credentials.json"),
        (None, "credentials.json"),
    ],
)
def test_a_new_token_goes_where_the_old_one_was_else_to_the_account(
    token_file: dict[str, str] | None, stored_in: str
) -> None:
    set_in_file({"enphase_username": "me@example.org", "enphase_password": "secret"})
    if token_file is not None:
        set_in_file(token_file, name="credentials_token.json")
    store(settings(*SETTINGS), "gateway_token", "new")
    assert json.loads((Path("configuration") / stored_in).read_text())["gateway_token"] == "new"
    assert settings(*SETTINGS).gateway_token == "new"


def refused_credentials(**options: Any) -> str:
    with pytest.raises(SettingsError) as error:
        settings(*SETTINGS, **options)
    assert error.value.exit_status == 2
    assert "\n" not in str(error.value)
    return str(error.value)


def test_no_credentials_at_all_are_said_with_the_files_that_were_looked_for(tmp_path: Path) -> None:
    home = tmp_path / ".config/enphase-iq-gateway"
    files = [tmp_path / "configuration", home]
    message = refused_credentials()
    named = ", ".join(str(folder / name) for folder in files for name in CREDENTIALS_FILES)
    assert message.startswith(f"none of these credentials files exists: {named}; ")
    assert "enphase_username" in message
    assert "gateway_token" in message
    message = refused_credentials(configuration="option")
    assert f"{tmp_path}/option/credentials_token.json, {tmp_path}/option/credentials.json;" in message
    assert str(home) not in message


def test_half_an_account_is_said_to_be_half_of_one() -> None:
    file = set_in_file({"enphase_username": "me@example.org"})
    message = refused_credentials()
    assert message == f"{file}: enphase_password: is missing: {file}: enphase_username alone gets no token"
    set_in_file({"enphase_password": "secret"})
    assert refused_credentials().startswith(f"{file}: enphase_username: is missing")


@pytest.mark.parametrize("names", [CREDENTIALS_FILES[:1], CREDENTIALS_FILES[1:], CREDENTIALS_FILES])
def test_files_without_token_and_account_are_named(names: tuple[str, ...]) -> None:
    there = [set_in_file({"gateway_token": ""}, name=name) for name in names]
    message = refused_credentials()
    assert message.startswith(f"{' and '.join(map(str, there))}: no gateway_token and no enphase_username")


def test_credentials_may_stand_in_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENPHASE_USERNAME", "me@example.org")
    assert refused_credentials().endswith(
        "enphase_password: is missing: ENPHASE_USERNAME alone gets no token"
    )
    monkeypatch.setenv("ENPHASE_PASSWORD", "secret")
    assert settings(*SETTINGS).has_account


def test_only_what_a_command_reads_is_checked() -> None:
    set_in_file({"latitude": "planted", "gateway_host": "https://of-file"})
    assert settings("gateway_host").gateway_host == "https://of-file"


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
def test_a_broken_file_is_refused_with_the_place_but_not_its_content(text: str, error_text: str) -> None:
    set_in_file(text)
    with pytest.raises(SettingsError) as error:
        settings()
    assert error_text in str(error.value)
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
    with pytest.raises(SettingsError, match="is a file: name its folder"):
        settings(configuration=str(file))


def test_an_unknown_key_is_named_with_the_one_that_was_meant(caplog: pytest.LogCaptureFixture) -> None:
    file = set_in_file({"gateway_hots": "planted", "colour_of_the_roof": "planted"})
    settings()
    assert caplog.messages == [
        f"{file}: unknown key gateway_hots is ignored: did you mean gateway_host?",
        f"{file}: unknown key colour_of_the_roof is ignored",
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
        (f"{file}: other users of this machine can read its enphase_password: run chmod 600 {file}")
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
    assert "planted" not in repr(settings(*SETTINGS))


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
def test_a_brokers_password_with_letters_that_mean_something_shows_nothing_of_itself(password: str) -> None:
    error_text = refusal(amqp_url=f"amqp://me:{password}@broker.lan/")
    assert "amqp_url: must be an address such as amqps://" in error_text
    assert (
        "@ : / # ? % are written %40 %3A %2F %23 %3F %25, or set amqp_host, amqp_username and amqp_password"
        in error_text
    )
    assert "WORD" not in error_text
    assert "23608" not in error_text


@pytest.mark.parametrize("password", ["Pa%40WORD", "a%3A%2F%23%3F%25z", "Pa:WORD", "grün"])
def test_a_brokers_escaped_password_is_taken(password: str) -> None:
    set_in_file({"amqp_url": f"amqps://me:{password}@broker.lan:5671/solar"})
    url = URL(str(settings("amqp_url").amqp_url))
    assert (url.password, url.host, url.port) == (unquote(password), "broker.lan", 5671)


def test_the_password_of_an_address_is_kept_out_of_messages_and_a_files_name_is_not() -> None:
    set_in_file({"database_url": "mysql://me:open%40sesame@db/x", "import_database_url": "enphase.db"})
    settings("database_url", "import_database_url")
    assert redact("me came in with open%40sesame or open@sesame") == "me came in with [hidden] or [hidden]"
    assert redact("enphase.db: no such file") == "enphase.db: no such file"
