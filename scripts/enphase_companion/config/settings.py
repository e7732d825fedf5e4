"""Every setting: name, type, rule, default, meaning and group, each declared once.

The setting `gateway_host` is the option `--gateway-host` and `ENPHASE_GATEWAY_HOST` in the environment; one
that begins with `enphase_`, such as `enphase_password`, is `ENPHASE_PASSWORD`. Secrets have no option: every
user of a machine can read the command line of a running program. Options, help, the loader and the checks of
docs/settings.md read this declaration.

Nothing is imported here that `--help` would have to wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from . import rules

if TYPE_CHECKING:
    from pathlib import Path

#: The credentials files that every script reads: a value comes from the first that has it.
TOKEN_FILE, ACCOUNT_FILE = CREDENTIALS_FILES = ("credentials_token.json", "credentials.json")

CERTIFICATE_FILE = "gateway.cer"
CONFIGURATION_VARIABLE = "ENPHASE_CONFIGURATION"

#: Groups of settings that several scripts read together.
_GATEWAY, _HOME_ASSISTANT, _AMQP = "gateway", "home_assistant", "amqp"
_DATABASE, _DISPLAY = "database", "display"

#: What the displays can show; see displays/playlist.py.
SCENES = ("weather", "power", "bars", "energy", "day", "panels")


def _setting(
    rule: Callable[[Any], Any],
    meaning: str,
    *,
    metavar: str = "TEXT",
    default: Any = None,
    group: str | None = None,
    secret: bool = False,
    private: bool = False,
    has_variable: bool = True,
    placeholders: tuple[str, ...] = (),
) -> Any:
    """Declare a setting: its rule returns the checked value or raises vol.Invalid.

    A secret has no option, private values are not logged, and `placeholders` are values of the examples.
    The option of a setting whose default is False takes no value.
    """
    metadata = {
        "rule": rule,
        "meaning": meaning,
        "metavar": metavar,
        "group": group,
        "secret": secret,
        "private": secret or private,
        "has_variable": has_variable,
        "placeholders": placeholders,
    }
    return field(default=default, repr=not (secret or private), metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The values of a run; None where a setting has neither a value nor a default."""

    #: Absolute path of the folder with the credentials files and the gateway's certificate.
    folder: Path
    #: The place of each setting that is set, as a message names it.
    origins: Mapping[str, str]
    #: The credentials file of each setting that one sets.
    files: Mapping[str, Path]
    #: The command that trusts the gateway of these settings.
    trust_command: str = "enphase-gateway-console --trust"

    gateway_host: str = _setting(
        rules.gateway_host,
        "address of the gateway",
        group=_GATEWAY,
        metavar="HOST",
        default="https://envoy.local",
    )
    gateway_serial_number: str | None = _setting(
        rules.serial_number,
        "12 digits printed on the gateway: any other gateway is refused; messages that name no gateway are "
        "stored as this one's",
        group=_GATEWAY,
        metavar="SERIAL",
        placeholders=("012345678912",),
    )
    gateway_token: str | None = _setting(rules.token, "token of the gateway", group=_GATEWAY, secret=True)
    enphase_username: str | None = _setting(
        rules.text,
        "e-mail address of the Enphase account that renews the token",
        group=_GATEWAY,
        metavar="E-MAIL",
        private=True,
        placeholders=("you@example.com",),
    )
    enphase_password: str | None = _setting(
        rules.secret,
        "password of the Enphase account",
        group=_GATEWAY,
        secret=True,
        placeholders=("your password", "P4ssW0rd123"),
    )
    enphase_site: int | None = _setting(
        rules.whole(1, 10**12),
        "id of the site of the batteries, where the account has several sites",
        metavar="ID",
        private=True,
    )
    entrez_host: str = _setting(
        rules.host,
        "address of Entrez, which issues the tokens",
        group=_GATEWAY,
        metavar="HOST",
        default="https://entrez.enphaseenergy.com",
        # The password is sent there: an environment variable must not change the host.
        has_variable=False,
    )
    home_assistant_url: str | None = _setting(
        rules.home_assistant_url,
        "address of a Home Assistant with the integration, which is read instead of the gateway; http:// "
        "sends the token unencrypted",
        group=_HOME_ASSISTANT,
        metavar="URL",
    )
    home_assistant_token: str | None = _setting(
        rules.token,
        "long-lived access token of a user of that Home Assistant",
        group=_HOME_ASSISTANT,
        secret=True,
    )
    # Timestamps of a gateway are whole seconds: polled more often, it returns the same readings again.
    interval: float = _setting(
        rules.number(1, 3_600, "of seconds "),
        "seconds between two polls of the meters",
        metavar="SECONDS",
        default=1.0,
    )
    keep_panels: bool = _setting(
        rules.boolean,
        "also read power and energy of each panel, every five minutes",
        default=False,
    )
    metrics_port: int | None = _setting(
        rules.whole(1, 65_535), "port for Prometheus metrics (default: none)", metavar="PORT"
    )
    metrics_host: str = _setting(
        rules.text,
        "address on which the metrics port listens, 0.0.0.0 for all",
        metavar="HOST",
        default="127.0.0.1",
    )
    amqp_host: str = _setting(
        rules.amqp_host,
        "host of the RabbitMQ broker; of a cluster several, separated by commas, each with :PORT or without",
        group=_AMQP,
        metavar="HOST",
        default="localhost",
    )
    amqp_port: int = _setting(
        rules.whole(1, 65_535), "port of the broker", group=_AMQP, metavar="PORT", default=5672
    )
    amqp_username: str = _setting(rules.text, "user name on the broker", group=_AMQP, default="guest")
    amqp_password: str = _setting(
        rules.secret, "password on the broker", group=_AMQP, default="guest", secret=True
    )
    amqp_virtual_host: str = _setting(rules.text, "virtual host on the broker", group=_AMQP, default="/")
    amqp_url: str | None = _setting(
        rules.amqp_url,
        "amqps://USER:PASSWORD@HOST:PORT/VIRTUAL-HOST, instead of these five; amqps uses TLS; "
        "HOST:PORT,HOST:PORT for a cluster",
        group=_AMQP,
        secret=True,
    )
    amqp_exchange: str = _setting(
        rules.amqp_name, "exchange for the readings", group=_AMQP, default="Enphase"
    )
    amqp_queue: str = _setting(rules.amqp_name, "queue to consume", default="Enphase.Meters")
    amqp_queues: tuple[str, ...] = _setting(
        rules.amqp_names,
        "durable queues to declare, separated by commas; none: only connected consumers get readings",
        metavar="NAMES",
        default=("Enphase.Meters",),
    )
    mqtt_discovery: bool = _setting(
        rules.boolean,
        "also publish Home Assistant's MQTT discovery, for the MQTT plug-in of the broker",
        default=False,
    )
    spool_file: Path | None = _setting(  # noqa: RUF009 - it returns a field, as for all others
        rules.file,
        "file that keeps readings while broker or database is away (default: in the service's state "
        "directory, or in ~/.local/state/enphase-iq-gateway)",
        metavar="FILE",
    )
    spool_limit: int = _setting(
        rules.whole(1, 1_000_000),
        "maximum spool size in MB; the oldest readings are dropped first",
        metavar="MB",
        default=500,
    )
    # storage.address checks the URL: what it can be depends on the installed packages.
    database_url: str | None = _setting(
        rules.secret,
        "sqlite:///FILE or mysql://USER:PASSWORD@HOST/DATABASE (default: sqlite:///enphase.db in the current "
        "folder, unless one of the next four is set)",
        group=_DATABASE,
        secret=True,
    )
    database_host: str | None = _setting(
        rules.text, "host of a MariaDB or MySQL server, as in Enphase-API", group=_DATABASE, metavar="HOST"
    )
    database_username: str | None = _setting(rules.text, "user name on that server", group=_DATABASE)
    database_password: str | None = _setting(
        rules.secret, "password on that server", group=_DATABASE, secret=True
    )
    database_database: str | None = _setting(rules.text, "database on that server", group=_DATABASE)
    time_zone: str | None = _setting(
        rules.time_zone,
        "time zone of the days of a new database, such as Europe/Vienna (default: the system's)",
        metavar="ZONE",
    )
    keep_readings: int | None = _setting(
        rules.whole(0, 100_000), "days for which single readings are kept", metavar="DAYS"
    )
    keep_minutes: int | None = _setting(
        rules.whole(0, 100_000), "days for which minutes are kept", metavar="DAYS"
    )
    keep_quarter_hours: int | None = _setting(
        rules.whole(0, 100_000),
        "days for which quarter-hours are kept; days are kept for ever",
        metavar="DAYS",
    )
    import_database_url: str | None = _setting(
        rules.secret, "database of Enphase-API to import from (default: the same database)", secret=True
    )
    batch_size: int = _setting(
        rules.whole(1, 10_000), "maximum number of readings per transaction", metavar="COUNT", default=500
    )
    # Heartbeats to systemd happen between two batches.
    flush_interval: float | None = _setting(
        rules.number(0, 60, "of seconds "),
        "maximum seconds that a reading waits for its batch; a longer wait spares an SD card (default: 5 "
        "from a gateway, 0.25 from RabbitMQ)",
        metavar="SECONDS",
    )
    latitude: float | None = _setting(
        rules.degrees(90), "latitude in degrees, north positive", group=_DISPLAY, metavar="DEGREES"
    )
    longitude: float | None = _setting(
        rules.degrees(180), "longitude in degrees, east positive", group=_DISPLAY, metavar="DEGREES"
    )
    weather_host: str = _setting(
        rules.host,
        "address of the weather service, Open-Meteo's API",
        group=_DISPLAY,
        metavar="HOST",
        default="https://api.open-meteo.com",
    )
    brightness: float = _setting(
        rules.number(0, 1, ""), "brightness of the LEDs, 0 to 1", group=_DISPLAY, metavar="SHARE", default=0.5
    )
    night_brightness: float = _setting(
        rules.number(0, 1, ""),
        "brightness while the array produces nothing, unless brightness is lower",
        group=_DISPLAY,
        metavar="SHARE",
        default=0.1,
    )
    rotation: int = _setting(
        rules.rotation,
        "counter-clockwise rotation of the picture: 0, 90, 180 or 270",
        group=_DISPLAY,
        metavar="DEGREES",
        default=0,
    )
    scene: tuple[str, ...] = _setting(
        rules.names_of(SCENES),
        f"what is shown, in this order, separated by commas: {', '.join(SCENES)}",
        group=_DISPLAY,
        metavar="NAMES",
        default=("weather", "power", "bars"),
    )
    scroll_delay: float = _setting(
        rules.number(0.01, 1, "of seconds "),
        "seconds per step of scrolling text",
        group=_DISPLAY,
        metavar="SECONDS",
        default=0.04,
    )
    peak_power: float | None = _setting(
        rules.number(1, 10_000_000, "of watts "),
        "peak output power of the array: a line in charts, the full height of the HAT's bars",
        group=_DISPLAY,
        metavar="WATTS",
    )
    continuous_power: float | None = _setting(
        rules.number(1, 10_000_000, "of watts "),
        "continuous output power of the array: a line in charts, another colour on the HAT",
        group=_DISPLAY,
        metavar="WATTS",
    )
    tariff_file: Path | None = _setting(  # noqa: RUF009 - it returns a field, as for all others
        rules.file,
        "file with the prices for --costs (default: tariff.json in the folder of the credentials file, or "
        "else the gateway's own tariff)",
        metavar="FILE",
    )

    @property
    def certificate_file(self) -> Path:
        """Path of the trusted certificate."""
        return self.folder / CERTIFICATE_FILE

    @property
    def credentials_files(self) -> tuple[Path, ...]:
        """Paths of the credentials files, the one that wins first."""
        return tuple(self.folder / name for name in CREDENTIALS_FILES)

    @property
    def has_account(self) -> bool:
        """Whether a user name and a password are set."""
        return self.enphase_username is not None and self.enphase_password is not None

    def where(self, name: str) -> str:
        """Return the place of a setting for a message: its option, its variable, or file and key."""
        return self.origins.get(name, self.in_file(name))

    def in_file(self, name: str) -> str:
        """Return the place of a setting in its credentials file."""
        return f"{self.file_of(name)}: {name}"

    def file_of(self, name: str) -> Path:
        """Return the credentials file of a setting: where it is set, else where the token or account is."""
        for key in (name, "gateway_token", "enphase_password"):
            if key in self.files:
                return self.files[key]
        there = [file for file in self.credentials_files if file.exists()]
        return (there or [self.folder / ACCOUNT_FILE])[0]


SETTINGS: Mapping[str, Field[Any]] = {each.name: each for each in fields(Settings) if each.metadata}


def _names(group: str) -> tuple[str, ...]:
    return tuple(name for name, setting in SETTINGS.items() if setting.metadata["group"] == group)


GATEWAY_KEYS = _names(_GATEWAY)
HOME_ASSISTANT_KEYS = _names(_HOME_ASSISTANT)
#: What a script reads that gets readings from a gateway, or from Home Assistant instead.
SOURCE_KEYS = (*GATEWAY_KEYS, *HOME_ASSISTANT_KEYS)
AMQP_KEYS = _names(_AMQP)
DATABASE_KEYS = _names(_DATABASE)
DISPLAY_KEYS = _names(_DISPLAY)


def variable(name: str) -> str:
    """Return the name of a setting in the environment."""
    return f"ENPHASE_{name.removeprefix('enphase_').upper()}"


def option(name: str) -> str:
    """Return a setting as an option."""
    return f"--{name.replace('_', '-')}"
