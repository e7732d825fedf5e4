"""The batteries' settings in Enphase's cloud, which reaches battery controllers that ignore local writes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import orjson

from ..exceptions import AuthenticationError, CommandError, InvalidAnswerError, NotAllowedError
from ..http import parse_json, status_error
from ..json_values import boolean, integer, json_object, nested_objects, number, text, texts
from ..models.storage import StorageMode
from .connection import Answer
from .enlighten import ENLIGHTEN_HOST, Enlighten

_SESSION_COOKIE = "_enlighten_4_session"
_XSRF_COOKIE = "BP-XSRF-Token"
_API = "/service/batteryConfig/api/v1"

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
    #: % between which the two levels can be set.
    reserve_range: tuple[float, float] = (0, 100)
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

    It signs in with the first request, and again when the session ends. `site` is needed only for an account
    with several sites. `session` is used and never closed; without it, see `SessionHolder`.

    Raises AuthenticationError if the account is rejected, MultiFactorError if it requires a second factor,
    NotAllowedError if it may not change the settings, CommunicationError or ResponseError if Enlighten is
    unavailable.
    """

    def __init__(
        self,
        username: str,
        password: str,
        session: aiohttp.ClientSession | None = None,
        *,
        host: str = ENLIGHTEN_HOST,
        site: int | None = None,
    ) -> None:
        super().__init__(session, host=host)
        self._account = username, password
        self._site = site
        self._user: str | None = None
        self._cookies: dict[str, str] = {}

    async def settings(self) -> CloudSettings:
        """Return the settings; this is one request."""
        answer = await self._call("GET", "/batterySettings/{site}?userId={user}&source=enho")
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
            raise CommandError("in mode backup, the reserve is always 100 %: choose another mode first")
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
        await self._call(method, path, json=dict(body))

    async def _call(self, method: str, path: str, **options: Any) -> Answer:
        """Send a request for the site; sign in first if necessary, and once again if the session ended."""
        # Without the numbers of site and user, which no log needs.
        shown = _API + path.partition("?")[0].replace("/{site}", "")
        for is_last in (self._user is None, True):
            if self._user is None:
                await self._sign_in()
            headers = {"Username": self._user or ""}
            if method != "GET" and _XSRF_COOKIE in self._cookies:
                headers["X-XSRF-Token"] = self._cookies[_XSRF_COOKIE]
            whole = _API + path.format(site=self._site, user=self._user)
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

    async def _sign_in(self) -> None:
        username, password = self._account
        self._cookies.clear()
        answer, session_id = await self._authenticate(username, password)
        self._cookies |= {**answer.cookies, _SESSION_COOKIE: session_id}
        given = json_object(parse_json(answer.body, answer.path, self._server), answer.path)
        user = _user_of(given)
        if user is None:
            raise InvalidAnswerError("Enlighten named no user for this account", path=answer.path)
        if self._site is None:
            self._site = await self._find_site(integer(given, "system_id", 1))
        self._user = user

    async def _find_site(self, default: int | None) -> int:
        """Return the site of the account; `default` is the one that the sign-in named."""
        path = "/app-api/search_sites.json?searchText=&favourite=false"
        headers = {"X-Requested-With": "XMLHttpRequest"}
        answer = await self._ask("GET", path, cookies=self._cookies, headers=headers)
        if answer.status != 200:
            raise answer.unknown_answer_error()
        listed = json_object(parse_json(answer.body, answer.path, self._server), answer.path)
        ids = {integer(each, "id", 1) for each in nested_objects(listed, "sites")}
        found = sorted(each for each in ids if each is not None)
        if len(found) > 1:
            raise CommandError("this account has several sites: use one that has only the gateway's site")
        # The list may be empty although the account has a site.
        site = found[0] if found else default
        if site is None:
            raise AuthenticationError("Enlighten knows no site of this account: use the owner's account")
        return site


def _range(data: Mapping[str, Any], key: str) -> tuple[float, float]:
    low, high = number(data, f"{key}Min", 0, 100), number(data, f"{key}Max", 0, 100)
    return (0 if low is None else low, 100 if high is None else high)


def _require_within(name: str, level: float | None, limits: tuple[float, float]) -> None:
    low, high = limits
    if level is not None and not low <= level <= high:
        raise CommandError(f"the {name} of this site must be from {low:g} to {high:g} %")


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
