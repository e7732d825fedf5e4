"""The battery settings in the cloud: who may change them, what the gateway does, what the cloud says."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from yarl import URL

from enphase_companion.simulator import Simulator
from enphase_companion.simulator.battery_cloud import API, SITE, USER, XSRF_COOKIE
from enphase_companion.simulator.entrez import PASSWORD, USERNAME

START = 1_764_000_000.0
SETTINGS = f"{API}/batterySettings/{SITE}"


class Owner:
    """A signed-in owner, whose session keeps the cookies."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self._session = session

    async def sign_in(self) -> None:
        form = {"user[email]": USERNAME, "user[password]": PASSWORD}
        url = self.simulator.entrez_url + "/login/login.json"
        async with self._session.post(url, data=form) as response:
            answer = await response.json()
        assert (answer["user_id"], answer["system_id"]) == (USER, SITE)

    async def get(self, path: str = SETTINGS) -> tuple[int, Any]:
        async with self._session.get(
            self.simulator.entrez_url + path, headers={"Username": str(USER)}, allow_redirects=False
        ) as response:
            is_json = response.content_type == "application/json"
            return response.status, (await response.json()) if is_json else None

    async def data(self) -> dict[str, Any]:
        status, answer = await self.get()
        assert status == 200
        data: dict[str, Any] = answer["data"]
        return data

    async def send(
        self, body: Any, path: str = SETTINGS, method: str = "PUT", xsrf: str | None = None
    ) -> int:
        await self.get()
        cookies = self._session.cookie_jar.filter_cookies(URL(self.simulator.entrez_url))
        headers = {
            "Username": str(USER),
            "X-XSRF-Token": cookies[XSRF_COOKIE].value if xsrf is None else xsrf,
        }
        async with self._session.request(
            method, self.simulator.entrez_url + path, json=body, headers=headers
        ) as response:
            return response.status

    async def gateway(self, path: str, after: float = 0) -> Any:
        self.simulator.clock.advance(after)
        headers = {"Authorization": f"Bearer {self.simulator.token()}"}
        async with self._session.get(self.simulator.url + path, headers=headers) as response:
            return await response.json()


async def test_the_gateway_acts_within_seconds_and_the_cloud_says_pending_for_minutes(
    session: aiohttp.ClientSession,
) -> None:
    with Simulator("cloud-controlled", start=START, hour_of_day=11, speed=1e-6) as simulator:
        owner = Owner(simulator, session)
        await owner.sign_in()
        assert (await owner.data())["requestedConfig"] == {}
        assert await owner.send({"profile": "backup_only"}) == 200
        assert (await owner.gateway("/ivp/ensemble/secctrl", after=9))["configured_backup_soc"] == 20
        assert (await owner.gateway("/ivp/ensemble/secctrl", after=11))["configured_backup_soc"] == 100
        pending = await owner.data()
        assert pending["profile"] == "self-consumption"
        assert pending["requestedConfig"] == {
            "profile": "backup_only",
            "pendingGateways": [simulator.serial_number],
        }
        simulator.clock.advance(900)
        after = await owner.data()
        assert (after["profile"], after["batteryBackupPercentage"]) == ("backup_only", 100)
        assert after["requestedConfig"] == {}
        # Seen on 8.3.6086: the file of the gateway is not rewritten.
        tariff = await owner.gateway("/admin/lib/tariff")
        assert tariff["tariff"]["storage_settings"]["mode"] == "self-consumption"


async def test_the_tariff_document_follows_the_cloud_where_the_gateway_uses_it(
    session: aiohttp.ClientSession,
) -> None:
    with Simulator("battery", start=START, hour_of_day=11, speed=1e-6) as simulator:
        owner = Owner(simulator, session)
        await owner.sign_in()
        body = {"profile": "self-consumption", "batteryBackupPercentage": 45}
        assert await owner.send(body, path=f"{API}/profile/{SITE}") == 200
        settings = (await owner.gateway("/admin/lib/tariff", after=20))["tariff"]["storage_settings"]
        assert (settings["mode"], settings["reserved_soc"]) == ("self-consumption", 45)


async def test_each_profile_keeps_its_own_reserve_and_charging(session: aiohttp.ClientSession) -> None:
    with Simulator("cloud-controlled", start=START, hour_of_day=11, speed=1e-6) as simulator:
        owner = Owner(simulator, session)
        await owner.sign_in()
        await owner.send({"profile": "cost_savings"})
        assert (await owner.gateway("/ivp/ensemble/secctrl", after=20))["configured_backup_soc"] == 30
        assert (await owner.gateway("/ivp/sc/sched"))["Charge From Grid Allowed"]
        path = f"{API}/batterySettings/acceptDisclaimer/{SITE}"
        await owner.send({"disclaimer-type": "itc"}, path, "POST")
        await owner.send({"profile": "self-consumption"})
        await owner.send({"chargeFromGrid": True, "acceptedItcDisclaimer": True})
        await owner.send({"profile": "cost_savings"})
        await owner.send({"chargeFromGrid": False})
        await owner.send({"profile": "self-consumption"})
        assert (await owner.gateway("/ivp/sc/sched", after=20))["Charge From Grid Allowed"]
        await owner.send({"profile": "cost_savings"})
        assert not (await owner.gateway("/ivp/sc/sched", after=20))["Charge From Grid Allowed"]


async def test_charging_from_the_grid_needs_the_disclaimer(session: aiohttp.ClientSession) -> None:
    with Simulator("cloud-controlled", start=START, hour_of_day=11, speed=1e-6) as simulator:
        owner = Owner(simulator, session)
        await owner.sign_in()
        body = {"chargeFromGrid": True, "acceptedItcDisclaimer": True}
        assert await owner.send(body) == 400
        path = f"{API}/batterySettings/acceptDisclaimer/{SITE}"
        assert await owner.send({"disclaimer-type": "itc"}, path, "POST") == 200
        assert await owner.send(body) == 200
        assert (await owner.gateway("/ivp/sc/sched", after=20))["Charge From Grid Allowed"]
        assert await owner.send({"veryLowSoc": 12}) == 200
        assert (await owner.gateway("/ivp/ensemble/secctrl", after=20))["VLS_Limit"] == 12
        assert await owner.send({"veryLowSoc": 40}) == 400


async def test_the_cloud_wants_session_and_xsrf_token(session: aiohttp.ClientSession) -> None:
    with Simulator("battery", start=START, hour_of_day=11) as simulator:
        owner = Owner(simulator, session)
        assert (await owner.get())[0] == 302
        await owner.sign_in()
        assert (await owner.get())[0] == 200
        for token in ("", "another"):
            assert await owner.send({"profile": "backup_only"}, xsrf=token) == 403
        assert (await owner.get(f"{API}/batterySettings/1"))[0] == 403
        status, sites = await owner.get("/app-api/search_sites.json")
        assert (status, sites["sites"][0]["id"]) == (200, SITE)


@pytest.mark.parametrize("profile", ["three-phase", "ac-batteries"])
async def test_a_site_without_iq_batteries_has_no_battery_settings(
    session: aiohttp.ClientSession, profile: str
) -> None:
    with Simulator(profile, hour_of_day=11) as simulator:
        owner = Owner(simulator, session)
        await owner.sign_in()
        assert (await owner.get())[0] == 404
