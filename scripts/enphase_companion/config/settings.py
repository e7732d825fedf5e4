"""What an owner can set: each key once, with the same name as option, in the environment and in the file.

The key `gateway_host` is the option `--gateway-host` and `ENPHASE_GATEWAY_HOST` in the environment; one that
begins with `enphase_`, such as `enphase_password`, is `ENPHASE_PASSWORD`. Secrets have no option: every user
of a machine can read the options of a running program.

loader.py finds the values. Nothing is imported here that `--help` would have to wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

#: The credentials files that every script reads: a key comes from the first that has it.
TOKEN_FILE, ACCOUNT_FILE = CREDENTIALS_FILES = ("credentials_token.json", "credentials.json")

CERTIFICATE_FILE = "gateway.cer"
CONFIGURATION_VARIABLE = "ENPHASE_CONFIGURATION"


def _key(
    meaning: str,
    *,
    metavar: str = "TEXT",
    default: Any = None,
    secret: bool = False,
    private: bool = False,
    has_variable: bool = True,
    placeholders: tuple[str, ...] = (),
) -> Any:
    """Describe a setting. Secret: no option; private: not logged; placeholders: what examples hold."""
    metadata = {
        "meaning": meaning,
        "metavar": metavar,
        "secret": secret,
        "private": secret or private,
        "has_variable": has_variable,
        "placeholders": placeholders,
    }
    return field(default=default, repr=not (secret or private), metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is set; None where nobody has set it."""

    #: Where the credentials files lie or were looked for, and the gateway's certificate; an absolute path.
    folder: Path
    #: For each key that is set: where, as a message names it.
    origins: Mapping[str, str]
    #: For each key that a credentials file sets: the file.
    files: Mapping[str, Path]
    #: The command that trusts the gateway of these settings.
    trust_command: str = "enphase-gateway-console --trust"

    gateway_host: str = _key("address of the gateway", metavar="HOST", default="https://envoy.local")
    gateway_serial_number: str | None = _key(
        "12 digits, printed on the gateway; compared with what the gateway says, and taken for readings "
        "whose message does not say",
        metavar="SERIAL",
        placeholders=("012345678912",),
    )
    gateway_token: str | None = _key("token for the gateway, made by Entrez", secret=True)
    enphase_username: str | None = _key(
        "e-mail address of the Enphase account, to renew the token",
        metavar="E-MAIL",
        private=True,
        placeholders=("you@example.com",),
    )
    enphase_password: str | None = _key(
        "password of the Enphase account, to renew the token",
        secret=True,
        placeholders=("your password", "P4ssW0rd123"),
    )
    entrez_host: str = _key(
        "address of Entrez, which makes the tokens",
        metavar="HOST",
        default="https://entrez.enphaseenergy.com",
        # The password goes there: only who may read it decides, not whoever can set a variable.
        has_variable=False,
    )
    latitude: float | None = _key("degrees, north positive", metavar="DEGREES")
    longitude: float | None = _key("degrees, east positive", metavar="DEGREES")
    interval: float = _key("seconds between two readings", metavar="SECONDS", default=1.0)
    metrics_port: int | None = _key("port where Prometheus may read what is counted", metavar="PORT")
    metrics_host: str = _key(
        "address of this machine where it may; 0.0.0.0: from anywhere", metavar="HOST", default="127.0.0.1"
    )
    amqp_host: str = _key("host of the RabbitMQ broker", metavar="HOST", default="localhost")
    amqp_port: int = _key("port of the broker", metavar="PORT", default=5672)
    amqp_username: str = _key("user of the broker", default="guest")
    amqp_password: str = _key("password of the broker's user", default="guest", secret=True)
    amqp_virtual_host: str = _key("virtual host on the broker", default="/")
    amqp_url: str | None = _key(
        "amqps://USER:PASSWORD@HOST:PORT/VIRTUAL-HOST, in the place of these five; amqps is TLS",
        secret=True,
    )
    amqp_exchange: str = _key("exchange for the readings", default="Enphase")
    amqp_queue: str = _key("queue that is read", default="Enphase.Meters")
    amqp_queues: tuple[str, ...] = _key(
        "durable queues that keep the readings until they are read, with commas between them; "
        "none: only who listens gets them",
        metavar="NAMES",
        default=("Enphase.Meters",),
    )
    spool_file: Path | None = _key(  # noqa: RUF009 - it gives a field, as for all others
        "where readings wait while broker or database is away; without it in the service's state directory, "
        "or ~/.local/state/enphase-iq-gateway",
        metavar="FILE",
    )
    spool_limit: int = _key("megabytes that may wait; then the oldest give way", metavar="MB", default=500)
    database_url: str | None = _key(
        "sqlite:///FILE or mysql://USER:PASSWORD@HOST/DATABASE; without it, and without the next four, "
        "sqlite:///enphase.db in the folder where the script is started",
        secret=True,
    )
    database_host: str | None = _key(
        "host of a MariaDB or MySQL server, as Enphase-API has it", metavar="HOST"
    )
    database_username: str | None = _key("user of that server")
    database_password: str | None = _key("password of that user", secret=True)
    database_database: str | None = _key("database on that server")
    time_zone: str | None = _key(
        "where the days of a new database begin, such as Europe/Vienna; without it the system's",
        metavar="ZONE",
    )
    keep_readings: int | None = _key("days for which single readings are kept", metavar="DAYS")
    keep_minutes: int | None = _key("days for which their minutes are kept", metavar="DAYS")
    keep_quarters: int | None = _key(
        "days for which their quarter-hours are kept; days are kept for ever", metavar="DAYS"
    )
    import_database_url: str | None = _key(
        "database of Enphase-API's to import from; without it the tables beside the others", secret=True
    )
    batch_size: int = _key("readings that are stored together at most", metavar="COUNT", default=500)
    flush_interval: float = _key(
        "seconds that a reading waits for others to be stored with; more of them spare an SD card",
        metavar="SECONDS",
        default=1.0,
    )
    weather_host: str = _key(
        "address of the weather service, Open-Meteo's or one like it",
        metavar="HOST",
        default="https://api.open-meteo.com",
    )
    brightness: float = _key("how bright the LEDs are, 0 to 1", metavar="SHARE", default=0.5)
    rotation: int = _key(
        "how far the picture is turned against the clock: 0, 90, 180 or 270", metavar="DEGREES", default=0
    )
    scroll_delay: float = _key(
        "seconds for which words stand before they move by one LED", metavar="SECONDS", default=0.04
    )
    peak_power: float | None = _key(
        "what the array can make for a moment: a line in charts, the full height of the HAT's bars",
        metavar="WATTS",
    )
    continuous_power: float | None = _key(
        "what it can make all day: a line in charts, another colour on the HAT", metavar="WATTS"
    )

    @property
    def certificate_file(self) -> Path:
        """Where the trusted certificate lies."""
        return self.folder / CERTIFICATE_FILE

    @property
    def credentials_files(self) -> tuple[Path, ...]:
        """Where the credentials files may lie, the first of which has the last word."""
        return tuple(self.folder / name for name in CREDENTIALS_FILES)

    @property
    def has_account(self) -> bool:
        """Whether there are a user name and a password to get a token with."""
        return self.enphase_username is not None and self.enphase_password is not None

    def where(self, name: str) -> str:
        """Name a key by the place it is set in, or could be: the option, the variable, or file and key."""
        return self.origins.get(name, self.in_file(name))

    def in_file(self, name: str) -> str:
        """Name a key by its place in the file."""
        return f"{self.file_of(name)}: {name}"

    def file_of(self, name: str) -> Path:
        """Return the credentials file that a key is set in, or belongs into: that of the token or account."""
        for key in (name, "gateway_token", "enphase_password"):
            if key in self.files:
                return self.files[key]
        there = [file for file in self.credentials_files if file.exists()]
        return (there or [self.folder / ACCOUNT_FILE])[0]


#: What says which gateway, and how to be let in: with a token, or with an account that a token is made with.
GATEWAY_KEYS = (
    "gateway_host",
    "gateway_serial_number",
    "gateway_token",
    "enphase_username",
    "enphase_password",
    "entrez_host",
)

#: What says where the broker is.
AMQP_KEYS = (
    "amqp_host",
    "amqp_port",
    "amqp_username",
    "amqp_password",
    "amqp_virtual_host",
    "amqp_url",
    "amqp_exchange",
)

#: What says which database.
DATABASE_KEYS = (
    "database_url",
    "database_host",
    "database_username",
    "database_password",
    "database_database",
)

KEYS: Mapping[str, Field[Any]] = {each.name: each for each in fields(Settings) if each.metadata}


def variable(name: str) -> str:
    """Return the name of a key in the environment."""
    return f"ENPHASE_{name.removeprefix('enphase_').upper()}"


def option(name: str) -> str:
    """Return a key as an option."""
    return f"--{name.replace('_', '-')}"
