"""What an owner can set: each key once, with the same name as option, in the environment and in the file.

The key `gateway_host` is the option `--gateway-host` and `ENPHASE_GATEWAY_HOST` in the environment; one that
begins with `enphase_`, such as `enphase_password`, is `ENPHASE_PASSWORD`. Secrets have no option: every user
of a machine can read the options of a running program.

settings_reading.py finds the values, settings_rules.py says what they may be. Nothing is imported here that
`--help` would have to wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

CERTIFICATE_FILE = "gateway.cer"
CONFIGURATION_VARIABLE = "ENPHASE_CONFIGURATION"


def _key(
    meaning: str,
    *,
    metavar: str = "TEXT",
    default: Any = None,
    secret: bool = False,
    private: bool = False,
    placeholders: tuple[str, ...] = (),
) -> Any:
    """Describe a setting. Secret: no option; private: not logged; placeholders: what examples hold."""
    metadata = {"meaning": meaning, "metavar": metavar, "secret": secret, "private": secret or private}
    return field(
        default=default, repr=not (secret or private), metadata={**metadata, "placeholders": placeholders}
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is set; None where nobody has set it."""

    #: Where the file was looked for, or lies; the gateway's certificate lies beside it.
    file: Path
    #: For each key that is set: where, as a message names it.
    origins: Mapping[str, str]
    #: The command that trusts the gateway of these settings.
    trust_command: str = "enphase-gateway-console --trust"

    gateway_host: str = _key("address of the gateway", metavar="HOST", default="https://envoy.local")
    gateway_serial_number: str | None = _key(
        "12 digits, printed on the gateway; only compared with what the gateway says",
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
    )
    latitude: float | None = _key("degrees, north positive", metavar="DEGREES")
    longitude: float | None = _key("degrees, east positive", metavar="DEGREES")

    @property
    def certificate_file(self) -> Path:
        """Where the trusted certificate lies."""
        return self.file.with_name(CERTIFICATE_FILE)

    @property
    def has_account(self) -> bool:
        """Whether there are a user name and a password to get a token with."""
        return self.enphase_username is not None and self.enphase_password is not None

    def where(self, name: str) -> str:
        """Name a key by the place it is set in, or could be: the option, the variable, or file and key."""
        return self.origins.get(name, self.in_file(name))

    def in_file(self, name: str) -> str:
        """Name a key by its place in the file."""
        return f"{self.file}: {name}"


KEYS: Mapping[str, Field[Any]] = {each.name: each for each in fields(Settings) if each.metadata}


def variable(name: str) -> str:
    """Give the name of a key in the environment."""
    return f"ENPHASE_{name.removeprefix('enphase_').upper()}"


def option(name: str) -> str:
    """Give a key as an option."""
    return f"--{name.replace('_', '-')}"
