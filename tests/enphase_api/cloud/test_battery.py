"""The batteries' settings in the cloud, and commands that reach the gateway through it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from enphase_api import (
    AuthenticationError,
    CommandError,
    CommandReason,
    CommunicationError,
    EnphaseError,
    InvalidAnswerError,
    MultiFactorError,
    NotAllowedError,
    ResponseError,
    SeveralSitesError,
)
from enphase_api.cloud import BatteryCloud
from enphase_api.local import Gateway, Timing
from enphase_api.models import Evidence, Outcome, Reason, StorageMode, Way
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.battery_cloud import BatteryCloud as SimulatedCloud
from enphase_companion.simulator.entrez import MFA_USERNAME
from tests.houses import JUNE

from ..servers import run_entrez

SETTINGS = "/service/batteryConfig/api/v1/batterySettings/1234567"
LOGIN, SITES = "/login/login.json", "/app-api/search_sites.json"

#: The cloud's own view has a change after at most 15 minutes of house time.
VIEW = 900


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Yield a gateway whose battery controller ignores local writes, 30 times as fast as real ones."""
    with Simulator("cloud-controlled", hour_of_day=11, day=JUNE, speed=30) as running:
        yield running


@pytest.fixture
async def cloud(sim: Simulator) -> AsyncIterator[BatteryCloud]:
    async with BatteryCloud(sim.username, sim.password, host=sim.entrez_url) as opened:
        yield opened
    await asyncio.sleep(0.02)


@pytest.fixture
async def gateway(sim: Simulator) -> AsyncIterator[Gateway]:
    async with Gateway(sim.url, certificate=sim.certificate_pem) as opened:
        assert await opened.login(sim.token())
        opened.control.timing = Timing(first=0.3, cloud=20, second=0.3, pause=0.05)
        yield opened
    await asyncio.sleep(0.02)


def cloud_of_sim(sim: Simulator) -> SimulatedCloud:
    """Return the simulated cloud of the batteries."""
    assert sim.entrez.battery_cloud is not None
    return sim.entrez.battery_cloud


def list_writes(sim: Simulator) -> list[str]:
    """Return method and path of all requests to the cloud that change something."""
    return [
        f"{request.method} {request.path.removeprefix('/service/batteryConfig/api/v1')}"
        for request in sim.entrez_requests
        if request.method != "GET" and request.path != LOGIN
    ]


async def test_the_settings_of_the_site_are_read_after_one_sign_in(
    sim: Simulator, cloud: BatteryCloud
) -> None:
    settings = await cloud.settings()
    assert (settings.mode, settings.reserve, settings.shutdown_level) == (StorageMode.SELF_CONSUMPTION, 20, 5)
    assert (settings.charge_from_grid, settings.is_pending) == (False, False)
    assert (settings.reserve_range, settings.shutdown_range) == ((5, 100), (5, 25))
    await cloud.settings()
    assert [request.path.partition("?")[0] for request in sim.entrez_requests] == [
        LOGIN,
        SITES,
        SETTINGS,
        SETTINGS,
    ]


async def test_a_change_is_pending_until_the_gateway_has_reported_it(
    sim: Simulator, cloud: BatteryCloud
) -> None:
    await cloud.change(mode=StorageMode.ECONOMY, reserve=45, shutdown_level=12, charge_from_grid=False)
    settings = await cloud.settings()
    assert (settings.mode, settings.is_pending) == (StorageMode.SELF_CONSUMPTION, True)
    sim.clock.advance(VIEW)
    settings = await cloud.settings()
    assert (settings.mode, settings.reserve, settings.shutdown_level) == (StorageMode.ECONOMY, 45, 12)
    assert (settings.charge_from_grid, settings.is_pending) == (False, False)


async def test_the_disclaimer_is_accepted_once(sim: Simulator, cloud: BatteryCloud) -> None:
    for _ in range(2):
        await cloud.change(charge_from_grid=True)
    accept, change = "POST /batterySettings/acceptDisclaimer/1234567", "PUT /batterySettings/1234567"
    assert [write.partition("?")[0] for write in list_writes(sim)] == [accept, change, change]


async def test_a_session_that_has_ended_is_opened_again(sim: Simulator, cloud: BatteryCloud) -> None:
    await cloud.settings()
    sim.entrez._of_enlighten.clear()
    assert (await cloud.settings()).reserve == 20
    sim.entrez._of_enlighten.clear()
    await cloud.change(reserve=30)
    assert [request.path for request in sim.entrez_requests].count(LOGIN) == 3


async def test_an_account_without_rights_signs_in_once_more_and_not_again(
    sim: Simulator, cloud: BatteryCloud
) -> None:
    await cloud.settings()
    sim.entrez.faults.set("status", SETTINGS, status=403)
    sim.entrez_requests.clear()
    with pytest.raises(NotAllowedError, match="use the owner's account"):
        await cloud.settings()
    assert [request.path for request in sim.entrez_requests].count(LOGIN) == 1
    sim.entrez.faults.clear()
    assert (await cloud.settings()).reserve == 20


@pytest.mark.parametrize(
    ("fault", "path", "error"),
    [
        ({"name": "status", "status": 503}, SETTINGS, ResponseError),
        ({"name": "status", "status": 503}, SITES, ResponseError),
        ({"name": "status", "status": 503}, LOGIN, ResponseError),
        ({"name": "reset"}, SETTINGS, CommunicationError),
        ({"name": "html"}, LOGIN, InvalidAnswerError),
        ({"name": "html"}, SITES, NotAllowedError),
        ({"name": "html"}, SETTINGS, NotAllowedError),
    ],
)
async def test_a_cloud_that_fails_is_an_error(
    sim: Simulator, cloud: BatteryCloud, fault: dict[str, Any], path: str, error: type[Exception]
) -> None:
    sim.entrez.faults.set(path=path, **fault)
    with pytest.raises(error) as raised:
        await cloud.settings()
    # Neither the number of the site nor that of the user.
    shown = f"{raised.value} {getattr(raised.value, 'path', '')}"
    assert "1234567" not in shown
    assert "userId" not in shown


async def test_a_rejected_account_is_an_error(sim: Simulator) -> None:
    with pytest.raises(AuthenticationError, match="rejected"):
        await BatteryCloud(sim.username, "wrong", host=sim.entrez_url).settings()
    with pytest.raises(MultiFactorError):
        await BatteryCloud(MFA_USERNAME, sim.password, host=sim.entrez_url).settings()


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"reserve": 2}, "the reserve of this site must be from 5 to 100 %"),
        ({"shutdown_level": 40}, "the shutdown level of this site must be from 5 to 25 %"),
    ],
)
async def test_a_level_that_the_site_cannot_have_is_not_sent(
    sim: Simulator, cloud: BatteryCloud, wanted: dict[str, Any], error: str
) -> None:
    with pytest.raises(CommandError, match=error):
        await cloud.change(**wanted)
    assert list_writes(sim) == []


async def test_mode_backup_takes_no_reserve(sim: Simulator, cloud: BatteryCloud) -> None:
    await cloud.change(mode=StorageMode.BACKUP, reserve=30)
    assert [write.partition("?")[0] for write in list_writes(sim)] == ["PUT /batterySettings/1234567"]
    sim.clock.advance(VIEW)
    with pytest.raises(CommandError, match="in mode backup, the reserve is always 100 %"):
        await cloud.change(reserve=30)


class Enlighten:
    """An Enlighten with other answers than the simulated one's; it keeps the headers of all requests."""

    def __init__(self, sign_in: dict[str, Any], sites: tuple[int, ...] = (1,)) -> None:
        self.sign_in = {"session_id": "a" * 32, **sign_in}
        self.sites = sites
        self.headers: list[Any] = []
        #: Lists of sites to come that are empty.
        self.empty_lists = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.headers.append(request.headers)
        if "HomeAssistant" in request.headers["User-Agent"]:
            return web.Response(status=406)
        if request.path == LOGIN:
            return web.json_response(self.sign_in)
        if request.path == SITES:
            self.empty_lists -= 1
            sites = self.sites if self.empty_lists < 0 else ()
            return web.json_response({"sites": [{"id": site, "title": "Home"} for site in sites]})
        assert request.headers["Username"] == "42"
        return web.json_response({"data": {"profile": request.path.rpartition("/")[2]}})


#: The part with the claims of a token of the web site: {"data": {"user_id": 42}}.
CLAIMS = "eyJkYXRhIjp7InVzZXJfaWQiOjQyfX0"


@pytest.mark.parametrize(
    "sign_in", [{"user_id": 42}, {"user_id": "42"}, {"manager_token": f"eyJ0.{CLAIMS}.c2ln"}]
)
async def test_the_user_is_named_in_one_of_three_ways(sign_in: dict[str, Any]) -> None:
    async with run_entrez(Enlighten(sign_in).answer) as url:
        assert (await BatteryCloud("a", "b", host=url).settings()).profile == "1"


@pytest.mark.parametrize(
    "sign_in",
    [{}, {"user_id": "x"}, {"manager_token": "x"}, {"manager_token": "a.%%.c"}, {"manager_token": "a.W10.c"}],
)
async def test_a_sign_in_that_names_no_user_is_an_error(sign_in: dict[str, Any]) -> None:
    async with run_entrez(Enlighten(sign_in).answer) as url:
        with pytest.raises(InvalidAnswerError, match="named no user"):
            await BatteryCloud("a", "b", host=url).settings()


COTTAGE = {1234568: "Cottage"}


async def test_the_site_of_the_gateway_is_found_among_several(sim: Simulator) -> None:
    cloud_of_sim(sim).other_sites = {1: "Barn", **COTTAGE}
    async with BatteryCloud(
        sim.username, sim.password, host=sim.entrez_url, gateway=sim.serial_number
    ) as cloud:
        assert (await cloud.settings()).reserve == 20
        await cloud.change(reserve=40)
        assert await cloud.sites() == {1: "Barn", 1234567: "Simulated house", **COTTAGE}
    assert [write.partition("?")[0] for write in list_writes(sim)] == ["PUT /profile/1234567"]


@pytest.mark.parametrize(("gateway", "lists_devices"), [(None, True), ("122300000099", True), ("own", False)])
async def test_an_account_with_several_sites_has_to_choose_one_where_enlighten_does_not_tell(
    sim: Simulator, gateway: str | None, lists_devices: bool
) -> None:
    of_sim = cloud_of_sim(sim)
    of_sim.other_sites, of_sim.lists_devices = COTTAGE, lists_devices
    serial_number = sim.serial_number if gateway == "own" else gateway
    options: dict[str, Any] = {"host": sim.entrez_url, "gateway": serial_number}
    cloud = BatteryCloud(sim.username, sim.password, **options)
    expected = r"several sites, choose one by its id: 1234567 \(Simulated house\), 1234568 \(Cottage\)$"
    for _ in range(2):
        with pytest.raises(SeveralSitesError, match=expected) as raised:
            await cloud.change(reserve=40)
        assert raised.value.sites == {1234567: "Simulated house", **COTTAGE}
    assert list_writes(sim) == []
    chosen = BatteryCloud(sim.username, sim.password, site=1234567, **options)
    assert (await chosen.settings()).reserve == 20


async def test_an_installer_with_many_sites_is_told_the_first() -> None:
    enlighten = Enlighten({"user_id": 42}, tuple(range(1, 500)))
    async with run_entrez(enlighten.answer) as url:
        with pytest.raises(SeveralSitesError, match=r"1 \(Home\), .*, 10 \(Home\), \.\.\.$") as raised:
            await BatteryCloud("a", "b", host=url, gateway="1").settings()
    assert len(raised.value.sites) == 499
    # The sign-in, the list, and the devices of ten sites.
    assert len(enlighten.headers) == 12


async def test_a_list_of_sites_that_is_empty_once_is_asked_for_again() -> None:
    enlighten = Enlighten({"user_id": 42, "system_id": 7}, (8, 9))
    enlighten.empty_lists = 2
    async with run_entrez(enlighten.answer) as url:
        with pytest.raises(SeveralSitesError):
            await BatteryCloud("a", "b", host=url).settings()


async def test_an_empty_list_of_sites_means_that_of_the_sign_in() -> None:
    async with run_entrez(Enlighten({"user_id": 42, "system_id": 7}, ()).answer) as url:
        assert (await BatteryCloud("a", "b", host=url).settings()).profile == "7"
    async with run_entrez(Enlighten({"user_id": 42}, ()).answer) as url:
        with pytest.raises(AuthenticationError, match="no site of this account"):
            await BatteryCloud("a", "b", host=url).settings()


async def test_the_name_of_home_assistant_is_not_sent() -> None:
    enlighten = Enlighten({"user_id": 42})
    async with (
        run_entrez(enlighten.answer) as url,
        aiohttp.ClientSession(headers={"User-Agent": "HomeAssistant/2026.11.0 aiohttp/3.13"}) as lent,
    ):
        assert (await BatteryCloud("a", "b", lent, host=url).settings()).profile == "1"
    assert len(enlighten.headers) == 3
    assert all(headers["User-Agent"].startswith("enphase_api") for headers in enlighten.headers)


async def test_no_cookie_of_the_cloud_stays_in_a_lent_session(sim: Simulator) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        cloud = BatteryCloud(sim.username, sim.password, session, host=sim.entrez_url)
        await cloud.change(charge_from_grid=True)
        assert list(session.cookie_jar) == []


@pytest.mark.parametrize("path", [LOGIN, SITES, SETTINGS])
async def test_a_redirect_of_the_cloud_receives_nothing(
    sim: Simulator, cloud: BatteryCloud, path: str
) -> None:
    received: list[str] = []

    async def note(request: web.Request) -> web.Response:
        received.append(request.path)
        return web.Response()

    async with run_entrez(note) as other:
        sim.entrez.faults.set("redirect", path, location=f"{other}/stolen")
        with pytest.raises(EnphaseError):
            await cloud.change(reserve=40)
    assert received == []
    assert list_writes(sim) == []


async def test_no_secret_of_the_cloud_is_logged_or_shown(
    sim: Simulator, cloud: BatteryCloud, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = await cloud.settings()
    await cloud.change(charge_from_grid=True)
    shown = f"{caplog.text} {settings!r} {cloud!r}"
    secrets = {sim.password, *sim.entrez._of_enlighten, *cloud._cookies.values()}
    assert not [secret for secret in secrets if secret in shown]
    assert all(secret not in request.path for secret in secrets for request in sim.entrez_requests)


@pytest.mark.parametrize(
    "wanted",
    [
        {"charge_from_grid": True},
        {"reserve": 40.0},
        {"reserve": 40.0, "charge_from_grid": True, "shutdown_level": 12.0},
    ],
)
async def test_a_command_that_was_ignored_goes_through_the_cloud_and_is_proven_by_the_gateway(
    gateway: Gateway, cloud: BatteryCloud, wanted: dict[str, Any]
) -> None:
    control = gateway.control
    result = await control.set_storage(**wanted, cloud=cloud)
    assert (result.outcome, result.way, result.evidence) == (Outcome.HELD, Way.CLOUD, Evidence.DEVICE)
    assert result.also_changed == {}
    result = await control.confirm(result)
    assert (result.outcome, result.reason, result.is_final) == (Outcome.HELD, None, True)
    assert (await cloud.settings()).is_pending, "which is no failure"


async def test_the_document_is_not_tried_again(sim: Simulator, gateway: Gateway, cloud: BatteryCloud) -> None:
    control = gateway.control
    await control.set_storage(reserve=40, cloud=cloud)
    assert control.are_local_writes_ignored
    sim.requests.clear()
    assert (await control.set_storage(reserve=50, cloud=cloud)).outcome is Outcome.HELD
    assert {request.method for request in sim.requests} == {"GET"}


async def test_the_document_is_tried_again_after_a_while_as_the_controller_may_only_have_been_slow(
    sim: Simulator, gateway: Gateway, cloud: BatteryCloud
) -> None:
    control = gateway.control
    control.timing = replace(control.timing, local_again=0)
    await control.set_storage(reserve=40, cloud=cloud)
    sim.requests.clear()
    assert (await control.set_storage(reserve=50, cloud=cloud)).way is Way.CLOUD
    assert "PUT" in {request.method for request in sim.requests}


async def test_levels_that_exclude_each_other_are_sent_neither_way(
    sim: Simulator, gateway: Gateway, cloud: BatteryCloud
) -> None:
    control = gateway.control
    await control.set_storage(reserve=12, cloud=cloud)
    assert control.are_local_writes_ignored
    before = list_writes(sim)
    with pytest.raises(CommandError) as raised:
        await control.set_storage(shutdown_level=14, cloud=cloud)
    assert raised.value.reason is CommandReason.RESERVE_BELOW_SHUTDOWN
    assert raised.value.levels == {"reserve": 12, "shutdown_level": 14}
    assert list_writes(sim) == before


async def test_an_error_of_the_cloud_is_told_from_one_of_the_gateway(
    sim: Simulator, gateway: Gateway
) -> None:
    async with BatteryCloud(sim.username, "wrong", host=sim.entrez_url) as stranger:
        with pytest.raises(AuthenticationError) as raised:
            await gateway.control.set_storage(reserve=40, cloud=stranger)
    assert raised.value.is_from_cloud
    await gateway.login(sim.token("installer"))
    with pytest.raises(CommandError) as missing:
        await gateway.control.set_generator("on")
    assert not missing.value.is_from_cloud


async def test_a_mode_is_pending_until_the_cloud_has_it(
    sim: Simulator, gateway: Gateway, cloud: BatteryCloud
) -> None:
    control = gateway.control
    control.timing = Timing(first=0.3, cloud=1, second=0.3, pause=0.05)
    result = await control.set_storage(mode="economy", cloud=cloud)
    assert (result.outcome, result.reason) == (Outcome.PENDING, Reason.CLOUD_PENDING)
    # Each profile has its own reserve and charging from the grid.
    assert result.also_changed == {"reserve": (20, 30), "charge_from_grid": (False, True)}
    result = await control.confirm(result)
    assert (result.outcome, result.is_final) == (Outcome.PENDING, False)
    assert (await control.storage(cloud)).mode is None
    sim.clock.advance(VIEW)
    result = await control.confirm(result)
    assert (result.outcome, result.evidence, result.is_final) == (Outcome.HELD, Evidence.CLOUD, True)
    assert (await control.storage(cloud)).mode is StorageMode.ECONOMY
    assert (await control.storage()).mode is None


async def test_the_cloud_is_not_asked_where_the_controller_uses_the_document(cloud: BatteryCloud) -> None:
    with Simulator("battery", hour_of_day=11, day=JUNE, speed=30) as sim:
        async with Gateway(sim.url, certificate=sim.certificate_pem) as gateway:
            assert await gateway.login(sim.token())
            gateway.control.timing = Timing(first=20, second=0.1, pause=0.05)
            result = await gateway.control.set_storage(reserve=40, cloud=cloud)
            assert (result.outcome, result.way) == (Outcome.HELD, Way.LOCAL)
            assert (await gateway.control.storage(cloud)).mode is StorageMode.SELF_CONSUMPTION
        assert sim.entrez_requests == []
    await asyncio.sleep(0.02)


async def test_a_cloud_that_fails_is_the_error_of_the_command(
    sim: Simulator, gateway: Gateway, cloud: BatteryCloud
) -> None:
    sim.entrez.faults.set("status", SETTINGS, status=503)
    with pytest.raises(ResponseError, match="Enlighten answered"):
        await gateway.control.set_storage(reserve=40, cloud=cloud)
    assert gateway.control.current is None
