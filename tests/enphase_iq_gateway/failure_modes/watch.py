"""The watch: all secrets, everything that is logged or shown, and whether it contains a secret."""

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
GONE, BACK = "gone", "back"
_SAID = {"is unavailable": GONE, "recovered": BACK, "is available again": BACK}


class Watch(logging.Handler):
    """Collect every line of the log, and every password, token and cookie that was issued."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._secrets = {WRONG_PASSWORD}
        self._lines: list[tuple[int, str]] = []
        #: What may be logged as an error in this test.
        self.expected_errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line as it would be written, with the traceback behind it."""
        self._lines.append((record.levelno, self.format(record)))

    def plant(self, secret: str) -> None:
        """Look for a secret from now on; of a token, for each of its parts as well."""
        # What stands before a token's signature may be logged cut short.
        self._secrets |= {secret, *(part[:40] for part in secret.split(".") if len(part) > 20)}

    def plant_all(self, monkeypatch: pytest.MonkeyPatch, simulator_password: str) -> None:
        """Look for whatever Entrez and gateways hand out from now on."""
        self.plant(simulator_password)
        encode, set_cookie = jwt.encode, web.Response.set_cookie

        def signed(*arguments: Any, **options: Any) -> str:
            token = encode(*arguments, **options)
            self.plant(token)
            return token

        def given(response: web.Response, name: str, value: str, **options: Any) -> None:
            self.plant(value)
            set_cookie(response, name, value, **options)

        monkeypatch.setattr(jwt, "encode", signed)
        monkeypatch.setattr(web.Response, "set_cookie", given)

    def spoken(self, title: str) -> list[str]:
        """Return the log entries of a gateway that becomes unavailable and available: GONE, BACK."""
        # Of a serial number the log has the last four digits alone.
        name = re.sub(r"\d+(?=\d{4}$)", "…", title)
        return [
            meaning
            for at, line in self._lines
            for words, meaning in _SAID.items()
            if at == logging.INFO and name in line and words in line
        ]

    def found_in(self, text: str) -> list[str]:
        """Return the secrets that are in a text."""
        return [secret for secret in self._secrets if secret in text]

    def errors(self) -> list[str]:
        """Return the unexpected errors in the log."""
        return [
            line
            for level, line in self._lines
            if level >= logging.ERROR and not any(each in line for each in self.expected_errors)
        ]

    def forget(self) -> None:
        """Clear the log."""
        self._lines.clear()

    @property
    def log(self) -> str:
        """The whole log, including debug level."""
        return "\n".join(line for _, line in self._lines)


async def published(hass: HomeAssistant) -> str:
    """Return everything that a user may publish: states, issues and diagnostics."""
    states = [f"{state.entity_id} {state.state} {state.attributes}" for state in hass.states.async_all()]
    questions = [json.dumps(issue.to_json()) for issue in ir.async_get(hass).issues.values()]
    files = [await file_of(hass, entry) for entry in hass.config_entries.async_entries(DOMAIN)]
    return "\n".join([*states, *questions, *files])


async def file_of(hass: HomeAssistant, entry: Any) -> str:
    """Return the diagnostics file of an entry, in whatever state it is."""
    return json.dumps(await async_get_config_entry_diagnostics(hass, entry), cls=JSONEncoder)


def serial_numbers(hass: HomeAssistant) -> Iterator[str]:
    """Yield the serial numbers of all devices: those belong into names and ids, and into no file."""
    for entry in hass.config_entries.async_entries(DOMAIN):
        yield str(entry.unique_id)
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id):
            yield str(device.serial_number)


async def require_discretion(hass: HomeAssistant, watch: Watch, gateways: Iterable[Simulator]) -> None:
    """Fail if a secret was logged, shown or sent to another host, or if anything crashed."""
    assert watch.errors() == []
    assert watch.found_in(watch.log) == []
    assert "BEGIN CERTIFICATE" not in watch.log
    assert watch.found_in(await published(hass)) == []
    for entry in hass.config_entries.async_entries(DOMAIN):
        file = await file_of(hass, entry)
        assert [serial for serial in serial_numbers(hass) if serial in file] == []
        assert (entry.state is ConfigEntryState.LOADED) == ("counters" in file)
    for gateway in gateways:
        asked = [request.path for request in gateway.requests]
        assert [path for path in asked if watch.found_in(path)] == []
        with_token = {request.path for request in gateway.requests if request.has_authorization}
        assert with_token <= {"/auth/check_jwt"}
