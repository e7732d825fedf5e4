"""The answers of a simulated gateway: computed from its house, or recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

from . import (
    battery_answers,
    controller_answers,
    inverter_answers,
    meter_answers,
    production_answers,
    system_answers,
)
from .controls import Controls
from .faults import set_to_zero
from .house import Clock, House

_BY_EID = ("/ivp/meters/readings/", "/ivp/meters/")
#: Seconds of house time after a restart in which some gateways do not know their values yet.
ZERO_SECONDS = 120
#: The first firmware with /ivp/pdm/device_data.
_HAS_DEVICE_DATA = (8,)
#: By quirk, the paths below which every token is rejected.
_REFUSING = {"meters-401": "/ivp/meters", "ensemble-401": "/ivp/ensemble"}
#: By quirk, the paths below which nothing exists.
_MISSING = {"meters-404": "/ivp/meters", "no-device-data": "/ivp/pdm/device_data"}
#: Hours of the house's clock between which a gateway with that quirk is silent.
_SILENT_FROM, _SILENT_TO = 23 * 3600, 23 * 3600 + 300


class SimulatedAnswers:
    """Answers computed from a house, for the current whole second of house time."""

    def __init__(self, house: House, clock: Clock, serial_number: str) -> None:
        self.serial_number = serial_number
        self._house = house
        self._clock = clock
        self._live = system_answers.LiveView(house)
        self.controls = Controls(house)
        self._paths = self._table()
        self._quirks = house.profile.quirks
        self._restarted = -inf

    def info(self) -> str:
        """Return the text of /info."""
        return system_answers.info(self._house, self.serial_number, self._now())

    def get(self, path: str, query: str) -> Any:
        """Return the JSON of a path (without trailing slash) and query; None if it does not exist.

        Raises PermissionError where this firmware lets nobody look.
        """
        if any(path.startswith(_REFUSING[quirk]) for quirk in self._quirks & _REFUSING.keys()):
            raise PermissionError(path)
        if any(path.startswith(_MISSING[quirk]) for quirk in self._quirks & _MISSING.keys()):
            return None
        answer = self._true(path, query)
        if self._clock.time() >= self._restarted + ZERO_SECONDS:
            return answer
        if "unknown-after-restart" in self._quirks and path == "/ivp/ensemble/inventory":
            answer = battery_answers.forget_temperatures(answer)
        return set_to_zero(answer) if "zeros-after-power-cut" in self._quirks else answer

    def restart(self) -> None:
        """Apply a power cut to the meters."""
        self._restarted = self._clock.time()

    def silent(self) -> bool:
        """Whether the gateway is too busy to answer at all, as some are each night."""
        if "nightly-silence" not in self._quirks:
            return False
        now = self._clock.time()
        return _SILENT_FROM <= now - self._house.midnight(now) < _SILENT_TO

    def _true(self, path: str, query: str) -> Any:
        if path == "/production.json":
            return production_answers.production(self._house, self._now(), details="details=1" in query)
        if path in self._paths:
            return self._paths[path]()
        for prefix in _BY_EID:
            if path.startswith(prefix):
                listed = self._paths[prefix.rstrip("/")]()
                eid = path.removeprefix(prefix)
                return next((entry for entry in listed if str(entry["eid"]) == eid), None)
        return None

    def command(self, method: str, path: str, body: Any) -> Any:
        """Return the JSON answer of a command; None if the path takes none.

        Raise ValueError for a body that the gateway rejects.
        """
        if (method, path) == ("POST", "/ivp/livedata/stream") and isinstance(body, dict):
            return self._live.switch(bool(body.get("enable")), self._now())
        return self.controls.command(method, path, body, self._now())

    @property
    def only_obeys_installers(self) -> bool:
        """Whether an owner's commands are rejected."""
        return "owner-refused" in self._quirks

    def _now(self) -> int:
        return int(self._clock.time())

    def _table(self) -> dict[str, Callable[[], Any]]:
        house, now = self._house, self._now
        return {
            "/ivp/meters": lambda: meter_answers.meters(house),
            "/ivp/meters/readings": lambda: meter_answers.readings(house, now()),
            "/ivp/meters/reports": lambda: meter_answers.reports(house, now()),
            "/ivp/meters/reports/production": lambda: meter_answers.production_report(house, now()),
            "/ivp/meters/reports/consumption": lambda: meter_answers.consumption_reports(house, now()),
            "/stream/meter": lambda: meter_answers.get_stream_event(house, now()),
            "/production": lambda: production_answers.production(house, now(), details=False),
            "/api/v1/production": lambda: production_answers.summary(house, now()),
            "/api/v1/production/inverters": lambda: inverter_answers.inverters(house, now()),
            "/ivp/pdm/device_data": lambda: (
                inverter_answers.device_data(house, now())
                if house.profile.version >= _HAS_DEVICE_DATA
                else None
            ),
            "/inventory.json": lambda: inverter_answers.inventory(house, now()),
            "/ivp/ensemble/inventory": lambda: battery_answers.inventory(house, now()),
            "/ivp/ensemble/power": lambda: battery_answers.power(house, now()),
            "/ivp/ensemble/secctrl": lambda: battery_answers.secctrl(house, now()),
            "/ivp/ensemble/status": lambda: battery_answers.status(house, now()),
            "/ivp/ensemble/relay": lambda: controller_answers.relay(house, now()),
            "/ivp/ensemble/dry_contacts": lambda: controller_answers.dry_contacts(house, now()),
            "/ivp/ensemble/generator": lambda: controller_answers.generator(house, now()),
            "/ivp/sc/status": lambda: battery_answers.sc_status(house, now()),
            "/ivp/ss/pel_settings": lambda: {"PEL": False},
            "/ivp/sc/pvlimit": lambda: {"enable": False, "pv_limit_pct": 100},
            **self.controls.table(now),
            "/ivp/livedata/status": lambda: self._live.status(now()),
            "/home": lambda: system_answers.home(house, now()),
            "/home.json": lambda: system_answers.home(house, now()),
        }


_SERIAL = re.compile(r"(<sn>\s*)([^<\s]+)(\s*</sn>)")

#: Served for a serial number that is no number: some recordings are published with a word in its place.
_BLANKED = "122300000042"


class ReplayedAnswers:
    """Answers from a folder whose file names are paths with `_` for `/`, `?` and `=`.

    `production.json_details_1` is /production.json?details=1. A missing or empty file: no such endpoint, or,
    if `_recording.json` notes that, 401. A serial number that was blanked is served as an invented one, as a
    gateway's is digits.
    """

    def __init__(self, folder: Path) -> None:
        """Read the gateway's serial number. Raise ValueError for a folder whose `info` lacks it."""
        self._folder = folder
        if not (folder / "info").is_file():
            raise ValueError(f"{folder}: no recording of a gateway: the file info is missing")
        found = _SERIAL.search(self.info())
        if found is None:
            raise ValueError(f"{folder / 'info'}: holds no <sn>, the gateway's serial number")
        self.serial_number = found[2]
        self._refused = _read_refused(folder / "_recording.json")

    def info(self) -> str:
        """Return the text of /info."""
        text = (self._folder / "info").read_text(encoding="utf-8")
        return _SERIAL.sub(
            lambda each: each[0] if each[2].isdigit() else f"{each[1]}{_BLANKED}{each[3]}", text
        )

    def get(self, path: str, query: str) -> Any:
        """Return the recorded JSON of a path and query, else of the path alone; None: not recorded.

        XML is returned as bytes. Raises PermissionError where the recorded gateway refused its owner.
        """
        plain = path.strip("/").replace("/", "_")
        with_query = f"{plain}_{re.sub('[=&]', '_', query)}" if query else plain
        for name in (with_query, plain):
            file = self._folder / name
            # No file of a recording has a folder in its name.
            if file.parent == self._folder and file.is_file() and file.stat().st_size:
                body = file.read_bytes()
                return body if body.lstrip().startswith(b"<") else json.loads(body)
        if path in self._refused:
            raise PermissionError(path)
        return None

    def command(self, method: str, path: str, body: Any) -> None:
        """Return None: recordings answer no command."""

    @property
    def only_obeys_installers(self) -> bool:
        """Whether an owner's commands are rejected: recordings know none."""
        return False

    def restart(self) -> None:
        """Do nothing: recordings do not change."""

    def silent(self) -> bool:
        """Whether the gateway is silent: never."""
        return False


def _read_refused(file: Path) -> set[str]:
    """Return the paths for which the notes of a recording have a refusal; none without notes."""
    if not file.is_file():
        return set()
    try:
        outcomes = json.loads(file.read_text(encoding="utf-8"))["outcomes"]
        return {path for path, outcome in outcomes.items() if outcome == "refused"}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{file}: not as a recorder writes it: correct or remove it") from None
