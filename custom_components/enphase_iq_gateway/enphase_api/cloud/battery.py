"""The batteries' settings in Enphase's cloud, which reaches battery controllers that ignore local writes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import orjson

from ..exceptions import (
    AuthenticationError,
    CommandError,
    CommandReason,
    InvalidAnswerError,
    NotAllowedError,
    ResponseError,
    SeveralSitesError,
)
from ..http import parse_json, status_error
from ..json_values import (
    boolean,
    identifier,
    integer,
    json_object,
    nested_objects,
    number,
    text,
    texts,
)
from ..models.storage import StorageMode
from .connection import Answer
from .enlighten import ENLIGHTEN_HOST, Enlighten

_SESSION_COOKIE = "_enlighten_4_session"
_XSRF_COOKIE = "BP-XSRF-Token"
_API = "/service/batteryConfig/api/v1"
_SITES = "/app-api/search_sites.json?searchText=&favourite=false"
_DEVICES = "/app-api/{site}/devices.json"
#: Requests for the list of sites, which is empty in half of the answers (seen in 2026).
_TRIES = 3
#: Sites whose devices are searched for the gateway; an installer's account has more.
_MOST_SITES = 10

_PROFILES = {
    StorageMode.SELF_CONSUMPTION: "self-consumption",
    StorageMode.ECONOMY: "cost_savings",
    StorageMode.BACKUP: "backup_only",
}
_MODES = {profile: mode for mode, profile in _PROFILES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSettings:
    """The batteries' settings as the cloud has them; it needs up to 15 minutes to have a change."""

    #: None for a profile that no gateway has, such as "ai_optimisation".
    mode: StorageMode | None
    #: %.
    reserve: float | None
    #: %.
    shutdown_level: float | None
    charge_from_grid: bool | None
    #: Whether the cloud waits for the gateway to confirm a change.
    is_pending: bool
    #: The name of the mode in the cloud.
    profile: str | None
    #: % between which the reserve can be set.
    reserve_range: tuple[float, float] = (0, 100)
    #: % between which the shutdown level can be set.
    shutdown_range: tuple[float, float] = (0, 100)
    #: Minutes of the day between which the batteries charge from the grid.
    charging_hours: tuple[int | None, int | None] = (None, None)
    has_accepted_disclaimer: bool = False

    @classmethod
    def from_json(cls, answer: object, path: str) -> Self:
        """Parse the whole answer. Raises InvalidAnswerError if it has no object `data`."""
        data = json_object(json_object(answer, path).get("data"), path)
        requested = data.get("requestedConfig")
        profile = text(data, "profile")
        return cls(
            mode=_MODES.get(profile or ""),
            reserve=number(data, "batteryBackupPercentage", 0, 100),
            shutdown_level=number(data, "veryLowSoc", 0, 100),
            charge_from_grid=boolean(data, "chargeFromGrid"),
            is_pending=isinstance(requested, dict) and bool(texts(requested, "pendingGateways")),
            profile=profile,
            reserve_range=_range(data, "batteryBackupPercentage"),
            shutdown_range=_range(data, "veryLowSoc"),
            charging_hours=(
                integer(data, "chargeBeginTime", 0, 1440),
                integer(data, "chargeEndTime", 0, 1440),
            ),
            has_accepted_disclaimer=bool(data.get("acceptedItcDisclaimer")),
        )


class BatteryCloud(Enlighten):
    """The batteries' settings of one site, by an owner's account of Enlighten.

    It signs in with the first request, and again when the session ends. `session` is used and never closed;
    without it, see `SessionHolder`.

    For an account with several sites, `gateway` is the serial number of a gateway, whose site is looked for,
    and `site` the id of a site, one of `sites()`, which is used as it is.

    Raises AuthenticationError if the account is rejected, MultiFactorError if it requires a second factor,
    NotAllowedError if it may not change the settings, SeveralSitesError if it has several sites and Enlighten
    does not tell which one has the gateway, CommunicationError or ResponseError if Enlighten is unavailable.
    """

    def __init__(
        self,
        username: str,
        password: str,
        session: aiohttp.ClientSession | None = None,
        *,
        host: str = ENLIGHTEN_HOST,
        gateway: str | None = None,
        site: int | None = None,
    ) -> None:
        super().__init__(session, host=host)
        self._account = username, password
        self._gateway = gateway
        self._site = site
        #: The site that the sign-in named.
        self._default_site: int | None = None
        self._user: str | None = None
        self._cookies: dict[str, str] = {}

    async def sites(self) -> dict[int, str]:
        """Return the names of the account's sites, by id; none if Enlighten lists none.

        The name of a site is its owner's text; it may be empty.
        """
        found: dict[int, str] = {}
        for _ in range(_TRIES):
            answer = await self._call("GET", _SITES)
            listed = json_object(parse_json(answer.body, answer.path, self._server), answer.path)
            for each in nested_objects(listed, "sites"):
                site = integer(each, "id", 1)
                if site is not None:
                    found[site] = text(each, "title") or ""
            if found:
                break
        return dict(sorted(found.items()))

    async def settings(self) -> CloudSettings:
        """Return the settings; this is one request."""
        answer = await self._call("GET", f"{_API}/batterySettings/{{site}}?userId={{user}}&source=enho")
        return CloudSettings.from_json(parse_json(answer.body, answer.path, self._server), answer.path)

    async def change(
        self,
        *,
        mode: StorageMode | None = None,
        reserve: float | None = None,
        charge_from_grid: bool | None = None,
        shutdown_level: float | None = None,
    ) -> None:
        """Change settings; None: unchanged. The gateway acts within 20 seconds.

        A mode brings its own reserve and charging from the grid along, unless they are given, too. To charge
        from the grid, Enphase's disclaimer about tax credits is accepted, as the app does.

        Raises CommandError for a level that the site cannot have, and for a reserve in mode `backup`, which
        keeps everything: nothing was changed.
        """
        present = await self.settings()
        wants_reserve = reserve is not None and mode is not StorageMode.BACKUP
        if wants_reserve and mode is None and present.mode is StorageMode.BACKUP:
            raise CommandError(
                "in mode backup, the reserve is always 100 %: choose another mode first",
                CommandReason.RESERVE_OF_BACKUP,
            )
        if wants_reserve:
            _require_within("reserve", reserve, present.reserve_range)
        _require_within("shutdown level", shutdown_level, present.shutdown_range)
        body: dict[str, Any] = {} if mode is None else {"profile": _PROFILES[mode]}
        if wants_reserve and reserve is not None:
            profile = present.profile if mode is None else _PROFILES[mode]
            level = {"profile": profile, "batteryBackupPercentage": round(reserve)}
            await self._write("PUT", "/profile/{site}?userId={user}", level)
        if shutdown_level is not None:
            body["veryLowSoc"] = round(shutdown_level)
        if charge_from_grid:
            body |= await self._accept_charging(present)
        elif charge_from_grid is not None:
            body["chargeFromGrid"] = False
        if body and not (wants_reserve and body.keys() == {"profile"}):
            # With the profile, as each has its own charging from the grid.
            await self._write("PUT", "/batterySettings/{site}?userId={user}", body)

    async def _accept_charging(self, present: CloudSettings) -> dict[str, Any]:
        """Accept the disclaimer, and return the settings that allow charging from the grid."""
        if not present.has_accepted_disclaimer:
            path = "/batterySettings/acceptDisclaimer/{site}"
            await self._write("POST", path, {"disclaimer-type": "itc"})
        begin, end = present.charging_hours
        hours = {} if begin is None or end is None else {"chargeBeginTime": begin, "chargeEndTime": end}
        charging = {"chargeFromGrid": True, "acceptedItcDisclaimer": True}
        return {**charging, **hours, "chargeFromGridScheduleEnabled": False}

    async def _write(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        # Each answer to a GET renews the cookie that a write repeats in its header.
        await self.settings()
        await self._call(method, _API + path, json=dict(body))

    async def _call(self, method: str, path: str, **options: Any) -> Answer:
        """Send a request; sign in first if necessary, and once again if the session ended."""
        # Without the numbers of site and user, which no log needs.
        shown = path.partition("?")[0].replace("/{site}", "")
        for is_last in (self._user is None, True):
            if self._user is None:
                await self._sign_in()
            if self._site is None and "{site}" in path:
                self._site = await self._find_site()
            whole = path.format(site=self._site, user=self._user)
            headers = self._headers(method, path)
            answer = await self._ask(
                method, whole, cookies=self._cookies, headers=headers, shown=shown, **options
            )
            self._cookies.update(answer.cookies)
            if answer.status == 200 and not answer.body.lstrip().startswith(b"<"):
                return answer
            if answer.status >= 500 or (400 <= answer.status < 500 and answer.status not in (401, 403)):
                raise status_error(self._server, answer.path, answer.status)
            self._user = None
            if is_last:
                break
        raise NotAllowedError(
            "Enlighten does not let this account change the batteries' settings: use the owner's account",
            path=shown,
        )

    def _headers(self, method: str, path: str) -> dict[str, str]:
        if not path.startswith(_API):
            return {"X-Requested-With": "XMLHttpRequest"}
        headers = {"Username": self._user or ""}
        if method != "GET" and _XSRF_COOKIE in self._cookies:
            headers["X-XSRF-Token"] = self._cookies[_XSRF_COOKIE]
        return headers

    async def _sign_in(self) -> None:
        username, password = self._account
        self._cookies.clear()
        answer, session_id = await self._authenticate(username, password)
        self._cookies |= {**answer.cookies, _SESSION_COOKIE: session_id}
        given = json_object(parse_json(answer.body, answer.path, self._server), answer.path)
        user = _user_of(given)
        if user is None:
            raise InvalidAnswerError("Enlighten named no user for this account", path=answer.path)
        self._default_site = integer(given, "system_id", 1)
        self._user = user

    async def _find_site(self) -> int:
        """Return the only site of the account, or that of the gateway."""
        sites = await self.sites()
        if len(sites) > 1:
            for site in list(sites)[:_MOST_SITES] if self._gateway is not None else ():
                if await self._has_gateway(site):
                    return site
            raise SeveralSitesError(sites)
        # The list may be empty although the account has a site.
        found = next(iter(sites), self._default_site)
        if found is None:
            raise AuthenticationError("Enlighten knows no site of this account: use the owner's account")
        return found

    async def _has_gateway(self, site: int) -> bool:
        """Return whether Enlighten lists the gateway among the devices of a site."""
        path = _DEVICES.format(site=site)
        shown = _DEVICES.replace("/{site}", "")
        answer = await self._ask(
            "GET", path, cookies=self._cookies, headers=self._headers("GET", path), shown=shown
        )
        try:
            listed = json_object(parse_json(answer.body, answer.path, self._server), answer.path)
        except ResponseError:
            # Not every account may read this list.
            return False
        return answer.status == 200 and any(
            identifier(device, "serial_number") == self._gateway
            for group in nested_objects(listed, "result")
            if text(group, "type") == "envoy"
            for device in nested_objects(group, "devices")
        )


def _range(data: Mapping[str, Any], key: str) -> tuple[float, float]:
    low, high = number(data, f"{key}Min", 0, 100), number(data, f"{key}Max", 0, 100)
    return (0 if low is None else low, 100 if high is None else high)


def _require_within(name: str, level: float | None, limits: tuple[float, float]) -> None:
    low, high = limits
    if level is not None and not low <= level <= high:
        raise CommandError(
            f"the {name} of this site must be from {low:g} to {high:g} %",
            CommandReason.OUT_OF_RANGE,
            low=low,
            high=high,
        )


def _user_of(given: Mapping[str, Any]) -> str | None:
    """Return the user's number in the answer to a sign-in: itself, or within the token of the web site."""
    user = given.get("user_id")
    if isinstance(user, str) and user.isascii() and user.isdigit():
        return user
    known = integer(given, "user_id", 1)
    if known is not None:
        return str(known)
    token = given.get("manager_token")
    try:
        payload = token.split(".")[1] if isinstance(token, str) else ""
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return None
    data = claims.get("data") if isinstance(claims, dict) else None
    known = integer(data, "user_id", 1) if isinstance(data, dict) else None
    return None if known is None else str(known)
