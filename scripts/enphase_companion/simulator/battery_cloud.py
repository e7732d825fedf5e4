"""The battery settings in Enphase's cloud, which reach the gateway within seconds."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from aiohttp import web

from .controls import Controls
from .house import Clock
from .orders import BACKUP, ECONOMY, SELF_CONSUMPTION, OverTime

#: The simulated owner's site and user.
SITE, USER = 1234567, 7654321
SITE_NAME = "Simulated house"
SESSION_COOKIE, XSRF_COOKIE = "_enlighten_4_session", "BP-XSRF-Token"
SITES_PATH = "/app-api/search_sites.json"
DEVICES_PATH = "/app-api/{site}/devices.json"
API = "/service/batteryConfig/api/v1"
#: Seconds until the gateway does what the cloud was told, at least and at most.
GATEWAY_LAG = (10, 20)
#: Minutes until the cloud's own view has it.
VIEW_LAG = (5, 15)
#: Percent between which the shutdown level can be set.
_LOWEST, _HIGHEST = 5, 25

_MODES = {"self-consumption": SELF_CONSUMPTION, "cost_savings": ECONOMY, "backup_only": BACKUP}


@dataclass(frozen=True)
class ProfileSettings:
    """What the cloud keeps for one profile, also while another one is in use."""

    reserve: float
    charge_from_grid: bool = False


@dataclass(frozen=True)
class Settings:
    """Everything that an owner has set."""

    profiles: Mapping[str, ProfileSettings]
    profile: str = "self-consumption"
    very_low: float = 5
    hours: Mapping[str, Any] = field(
        default_factory=lambda: {
            "chargeBeginTime": 120,
            "chargeEndTime": 300,
            "chargeFromGridScheduleEnabled": False,
        }
    )
    disclaimer: str | None = None

    @property
    def used(self) -> ProfileSettings:
        """The settings of the profile in use."""
        return self.profiles[self.profile]

    def with_used(self, **values: Any) -> Settings:
        """Return these settings with some of the profile in use changed."""
        return replace(self, profiles={**self.profiles, self.profile: replace(self.used, **values)})


class BatteryCloud:
    """The battery settings of the site, for those who have signed in to Enlighten."""

    def __init__(self, controls: Controls, clock: Clock, serial_number: str, reserve: float) -> None:
        """`reserve`: percent at the start."""
        self._controls = controls
        self._clock = clock
        self._serial_number = serial_number
        self._dice = Random(serial_number)
        profiles = {
            "self-consumption": ProfileSettings(reserve),
            "cost_savings": ProfileSettings(30, charge_from_grid=True),
            "backup_only": ProfileSettings(100),
        }
        #: What owners have set, and what the cloud believes that the gateway has.
        self._wanted = Settings(profiles)
        self._view = OverTime(self._wanted)
        self._requested: OverTime[dict[str, Any]] = OverTime({})
        #: Further sites of the owner's account, their names by id; they have another gateway.
        self.other_sites: dict[int, str] = {}
        #: Whether the account may see which devices a site has.
        self.lists_devices = True
        #: By session, the value that the next write must repeat.
        self._xsrf: dict[str, str] = {}

    async def handle(self, request: web.Request, username: str | None) -> web.Response:
        """Answer a request of a user; None: not signed in."""
        if username is None:
            # As a browser's: the web site's page to sign in.
            return web.Response(status=302, headers={"Location": "/login"})
        if request.path == SITES_PATH:
            return web.json_response({"sites": self._sites()})
        if request.path.startswith("/app-api/"):
            return self._devices(request.path)
        what, _, site_id = request.path.removeprefix(f"{API}/").rpartition("/")
        if request.headers.get("Username") != str(USER):
            return _error(401)
        session = request.cookies[SESSION_COOKIE]
        if site_id != str(SITE) or (request.method != "GET" and not self._has_token(request, session)):
            return _error(403)
        return self._read(what, session) if request.method == "GET" else await self._write(request, what)

    def _sites(self) -> list[dict[str, Any]]:
        named = {SITE: SITE_NAME, **self.other_sites}
        sites = [
            {"id": site, "path": f"/web/{site}?v=3.4.0", "title": name, "favourite": False}
            for site, name in named.items()
        ]
        # Seen in 2026: each site is listed twice.
        return sites * 2

    def _devices(self, path: str) -> web.Response:
        """Return the gateway of a site, in the list of its devices."""
        gateways = {SITE: self._serial_number} | dict.fromkeys(self.other_sites, "122399999999")
        found = {DEVICES_PATH.format(site=site): number for site, number in gateways.items()}.get(path)
        if found is None or not self.lists_devices:
            return _error(403)
        device = {"serial_number": found, "sku_id": "ENV-S-AM1-120"}
        return web.json_response({"result": [{"type": "envoy", "devices": [device]}]})

    def _has_token(self, request: web.Request, session: str) -> bool:
        """Whether a write repeats the cookie of the last answer in its header."""
        token = request.headers.get("X-XSRF-Token")
        return bool(token) and token == request.cookies.get(XSRF_COOKIE) == self._xsrf.get(session)

    def _read(self, what: str, session: str) -> web.Response:
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "batterySettings": self._settings,
            "siteSettings": self._site,
        }
        if what not in answers:
            return _error(404)
        answer = web.json_response(
            {"type": what, "timestamp": _stamp(self._clock.time()), "data": answers[what]()}
        )
        self._xsrf[session] = secrets.token_hex(16)
        answer.set_cookie(XSRF_COOKIE, self._xsrf[session])
        return answer

    def _settings(self) -> dict[str, Any]:
        now = self._clock.time()
        view = self._view.at(now)
        return {
            "supportsMqtt": True,
            "pollingInterval": 60,
            "profile": view.profile,
            "batteryBackupPercentage": view.used.reserve,
            "batteryBackupPercentageMin": _LOWEST,
            "batteryBackupPercentageMax": 100,
            "previousBatteryBackupPercentage": {name: kept.reserve for name, kept in view.profiles.items()},
            "requestedConfig": self._requested.at(now),
            "acceptedItcDisclaimer": self._wanted.disclaimer,
            "hideChargeFromGrid": False,
            "envoySupportsVls": True,
            **view.hours,
            "chargeFromGrid": view.used.charge_from_grid,
            "veryLowSoc": view.very_low,
            "veryLowSocMin": _LOWEST,
            "veryLowSocMax": _HIGHEST,
            "siteProfileStatus": "READY",
        }

    def _site(self) -> dict[str, Any]:
        return {
            "hasEncharge": True,
            "isChangePending": bool(self._requested.at(self._clock.time())),
            "userDetails": {"isOwner": True, "isInstaller": False},
        }

    async def _write(self, request: web.Request, what: str) -> web.Response:
        try:
            body = await request.json()
            if (request.method, what) == ("POST", "batterySettings/acceptDisclaimer"):
                if body != {"disclaimer-type": "itc"}:
                    raise ValueError("disclaimer-type")
                self._wanted = replace(self._wanted, disclaimer=_stamp(self._clock.time()))
            elif request.method == "PUT" and what in ("batterySettings", "profile"):
                self._change(body)
            else:
                return _error(404)
        except (ValueError, TypeError, KeyError, AttributeError):
            return _error(400)
        return web.json_response({"message": "success"})

    def _change(self, body: dict[str, Any]) -> None:
        """Store a change, tell the gateway, and plan when the cloud will see it."""
        now = int(self._clock.time())
        self._wanted = _merge(self._wanted, body)
        acts, seen = now + self._dice.randint(*GATEWAY_LAG), now + 60 * self._dice.randint(*VIEW_LAG)
        used = self._wanted.used
        self._controls.obey_cloud(
            acts,
            mode=_MODES[self._wanted.profile],
            reserve=used.reserve,
            very_low=self._wanted.very_low,
            charge_from_grid=used.charge_from_grid,
        )
        pending = {**self._requested.at(now), **body, "pendingGateways": [self._serial_number]}
        self._requested.set(now, pending)
        self._requested.set(seen, {})
        self._view.set(seen, self._wanted)


def _merge(settings: Settings, body: dict[str, Any]) -> Settings:
    """Return the settings with a change. Raise ValueError or KeyError if the cloud rejects it."""
    if (profile := body.get("profile")) is not None:
        settings = replace(settings, profile=profile)
    settings.profiles[settings.profile]
    if (reserve := body.get("batteryBackupPercentage")) is not None:
        if not _LOWEST <= reserve <= 100 or (settings.profile == "backup_only" and reserve != 100):
            raise ValueError("batteryBackupPercentage")
        settings = settings.with_used(reserve=reserve)
    if (very_low := body.get("veryLowSoc")) is not None:
        if not _LOWEST <= very_low <= _HIGHEST:
            raise ValueError("veryLowSoc")
        settings = replace(settings, very_low=very_low)
    if (charge := body.get("chargeFromGrid")) is not None:
        if charge and (settings.disclaimer is None or body.get("acceptedItcDisclaimer") is not True):
            raise ValueError("acceptedItcDisclaimer")
        settings = settings.with_used(charge_from_grid=bool(charge))
    hours = {name: body[name] for name in settings.hours if name in body}
    return replace(settings, hours={**settings.hours, **hours})


def _error(status: int) -> web.Response:
    return web.json_response({"error": {"code": str(status)}}, status=status)


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
