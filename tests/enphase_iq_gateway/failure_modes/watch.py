"""The watch: collects secrets and the log, and searches published texts for secrets."""

import json
import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any

import jwt
import pytest
from aiohttp import web
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.json import JSONEncoder

from custom_components.enphase_iq_gateway.const import DOMAIN
from custom_components.enphase_iq_gateway.diagnostics import async_get_config_entry_diagnostics
from enphase_companion.simulator import Simulator

#: A wrong password.
WRONG_PASSWORD = "planted-wrong-password"

#: The log entries when a gateway becomes unavailable, and available again.
UNAVAILABLE, AVAILABLE = "gone", "back"
_MESSAGES = {"is unavailable": UNAVAILABLE, "recovered": AVAILABLE, "is available again": AVAILABLE}


class Watch(logging.Handler):
    """Collect every line of the log, and every password, token and cookie that was issued."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._secrets = {WRONG_PASSWORD}
        self._lines: list[tuple[int, str]] = []
        #: Errors that this test may log.
        self.expected_errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Store a line as it would be written, including the traceback."""
        self._lines.append((record.levelno, self.format(record)))

    def add_secret(self, secret: str) -> None:
        """Search for a secret from now on, and for each part of a token."""
        # The part before the signature may be logged truncated.
        self._secrets |= {secret, *(part[:40] for part in secret.split(".") if len(part) > 20)}

    def add_issued_secrets(self, monkeypatch: pytest.MonkeyPatch, simulator_password: str) -> None:
        """Search for everything that Entrez and gateways issue from now on."""
        self.add_secret(simulator_password)
        encode, set_cookie = jwt.encode, web.Response.set_cookie

        def encode_and_add(*arguments: Any, **options: Any) -> str:
            token = encode(*arguments, **options)
            self.add_secret(token)
            return token

        def set_cookie_and_add(response: web.Response, name: str, value: str, **options: Any) -> None:
            self.add_secret(value)
            set_cookie(response, name, value, **options)

        monkeypatch.setattr(jwt, "encode", encode_and_add)
        monkeypatch.setattr(web.Response, "set_cookie", set_cookie_and_add)

    def availability_changes(self, title: str) -> list[str]:
        """Return the log entries of a gateway that becomes unavailable (GONE) and available again (BACK)."""
        # The log has only the last four digits of a serial number.
        name = re.sub(r"\d+(?=\d{4}$)", "…", title)
        return [
            meaning
            for at, line in self._lines
            for words, meaning in _MESSAGES.items()
            if at == logging.INFO and name in line and words in line
        ]

    def secrets_in(self, text: str) -> list[str]:
        """Return the secrets that are in a text."""
        return [secret for secret in self._secrets if secret in text]

    def errors(self) -> list[str]:
        """Return the unexpected errors in the log."""
        return [
            line
            for level, line in self._lines
            if level >= logging.ERROR and not any(each in line for each in self.expected_errors)
        ]

    def clear_log(self) -> None:
        """Clear the log."""
        self._lines.clear()

    @property
    def log(self) -> str:
        """The whole log, including debug level."""
        return "\n".join(line for _, line in self._lines)


async def published(hass: HomeAssistant) -> str:
    """Return everything that a user may post: states, issues and diagnostics."""
    states = [f"{state.entity_id} {state.state} {state.attributes}" for state in hass.states.async_all()]
    issues = [json.dumps(issue.to_json()) for issue in ir.async_get(hass).issues.values()]
    files = [await file_of(hass, entry) for entry in hass.config_entries.async_entries(DOMAIN)]
    return "\n".join([*states, *issues, *files])


async def file_of(hass: HomeAssistant, entry: Any) -> str:
    """Return the diagnostics file of an entry in any state."""
    return json.dumps(await async_get_config_entry_diagnostics(hass, entry), cls=JSONEncoder)


def serial_numbers(hass: HomeAssistant) -> Iterator[str]:
    """Yield the serial numbers of all devices, which names and ids may have, but no file."""
    for entry in hass.config_entries.async_entries(DOMAIN):
        yield str(entry.unique_id)
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id):
            yield str(device.serial_number)


async def require_no_leaks(hass: HomeAssistant, watch: Watch, gateways: Iterable[Simulator]) -> None:
    """Fail if a secret was logged, shown or sent to another host, or if anything crashed."""
    assert watch.errors() == []
    assert watch.secrets_in(watch.log) == []
    assert "BEGIN CERTIFICATE" not in watch.log
    assert watch.secrets_in(await published(hass)) == []
    for entry in hass.config_entries.async_entries(DOMAIN):
        file = await file_of(hass, entry)
        assert [serial for serial in serial_numbers(hass) if serial in file] == []
        assert (entry.state is ConfigEntryState.LOADED) == ("counters" in file)
    for gateway in gateways:
        requested = [request.path for request in gateway.requests]
        assert [path for path in requested if watch.secrets_in(path)] == []
        with_token = {request.path for request in gateway.requests if request.has_authorization}
        assert with_token <= {"/auth/check_jwt"}
