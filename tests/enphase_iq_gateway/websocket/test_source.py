"""The scripts' source of readings in Home Assistant, through restarts, revoked tokens and removed entries."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from homeassistant.auth.models import TOKEN_TYPE_LONG_LIVED_ACCESS_TOKEN, RefreshToken
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
    MockUser,
)
from yarl import URL

from custom_components.enphase_iq_gateway import coordinator, websocket_api
from custom_components.enphase_iq_gateway.enphase_api import message as client_message
from enphase_companion.config.settings import Settings
from enphase_companion.home_assistant import client as client_of_home_assistant
from enphase_companion.home_assistant import stream
from enphase_companion.home_assistant.source import HomeAssistantSource, open_source
from enphase_companion.message import Message
from enphase_companion.runtime import timing
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.runtime.service import Service, Stopped
from enphase_companion.simulator import Simulator

from ..conftest import NOON, SetUp, make_entry
from .conftest import Configure

pytestmark = [
    pytest.mark.filterwarnings("ignore:It is recommended to use web"),  # Home Assistant's own
    pytest.mark.parametrize("expected_lingering_timers", [True]),  # aiohttp's, of the next ping
]


class Listener:
    """A running source, and what it passed on."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        self.settings = settings
        self.messages: list[Message] = []
        self.service = Service()
        self.metrics = Metrics()
        self.source = open_source(
            settings, lambda: self.settings, self.service, self.metrics, lambda: "", **options
        )

    async def take(self, message: Message) -> None:
        self.messages.append(message)

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.01)

    async def until_received(self, count: int) -> None:
        await self.until(lambda: len(self.messages) >= count)


@asynccontextmanager
async def listen(settings: Settings, **options: Any) -> AsyncIterator[Listener]:
    listener = Listener(settings, **options)
    running = asyncio.create_task(listener.source.run(listener.take))
    try:
        yield listener
    finally:
        listener.service.stopping.set()
        with suppress(Stopped):
            await running


class Door:
    """A port that passes connections on to Home Assistant while it is open."""

    def __init__(self, target: URL) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse connections, and end those that are open, as a program that ends."""
        assert self._server is not None
        self._server.close()
        for writer in [*self._open]:
            writer.close()
        await self._server.wait_closed()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(self._target.host, self._target.port)
        self._open |= {writer, inner_writer}

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while part := await source.read(65_536):
                    sink.write(part)
                    await sink.drain()
            sink.close()

        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))


@asynccontextmanager
async def proxy(settings: Settings) -> AsyncIterator[tuple[Settings, Door]]:
    """Yield settings that lead through a door, which is open."""
    door = Door(URL(str(settings.home_assistant_url)))
    await door.open()
    try:
        yield replace(settings, home_assistant_url=f"http://127.0.0.1:{door.port}"), door
    finally:
        await door.close()


@pytest.fixture
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once instead of after a growing pause."""
    monkeypatch.setattr(timing.Backoff, "next", lambda _: 0.05)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings of the scripts."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("enphase_companion") and record.levelno == logging.WARNING
    ]


async def make_token(hass: HomeAssistant, user: MockUser, name: str) -> tuple[RefreshToken, str]:
    """Return a long-lived access token, as the page of a user makes it."""
    refresh_token = await hass.auth.async_create_refresh_token(
        user,
        client_name=name,
        token_type=TOKEN_TYPE_LONG_LIVED_ACCESS_TOKEN,
        access_token_expiration=timedelta(days=3_650),
    )
    return refresh_token, hass.auth.async_create_access_token(refresh_token)


async def test_each_refresh_is_passed_on(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    configure: Configure,
) -> None:
    await set_up(entry)
    async with listen(configure()) as listener:
        await listener.until_received(1)
        await entry.runtime_data.async_refresh()
        await listener.until_received(2)
        assert isinstance(listener.source, HomeAssistantSource)
        assert {message.gateway for message in listener.messages} == {simulator.serial_number}
        assert len(listener.messages[0].samples) == 8
        assert listener.source.problem is None
        assert listener.source.capacity is not None


async def test_panels_are_passed_on_if_they_are_wanted(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, configure: Configure
) -> None:
    await set_up(entry)
    async with listen(configure(keep_panels=True)) as listener:
        await listener.until(lambda: any(message.inverters for message in listener.messages))
        readings, panels = listener.messages[:2]
        assert readings.samples
        assert len(panels.inverters) == len(simulator.house.inverters)
        assert panels.gateway == simulator.serial_number
        assert listener.metrics["polls_succeeded"] == 1


async def test_a_revoked_token_is_one_line_and_a_new_one_is_used_as_soon_as_it_is_there(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    set_up: SetUp,
    configure: Configure,
    hass_admin_user: MockUser,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(entry)
    old, new = [await make_token(hass, hass_admin_user, name) for name in ("old", "new")]
    async with listen(configure(home_assistant_token=old[1])) as listener:
        await listener.until_received(1)
        hass.auth.async_remove_refresh_token(old[0])
        await listener.until(lambda: "refuses this token" in (listener.source.problem or ""))
        listener.settings = configure(home_assistant_token=new[1])
        (listener.settings.folder / "credentials.json").write_text("{}")
        await listener.until_received(2)
        assert listener.source.problem is None
    lines = warnings_of(caplog)
    assert len([line for line in lines if "refuses this token" in line]) == 1
    assert lines[-1] == "Home Assistant can be read again"
    # Home Assistant's own debug log has the sign-in.
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("enphase_companion")]
    for _, token in (old, new):
        assert token not in "".join(ours)


async def test_a_restart_of_home_assistant_is_said_once_and_reading_goes_on(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    set_up: SetUp,
    configure: Configure,
    fast_retries: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(entry)
    async with proxy(configure()) as (settings, door), listen(settings) as listener:
        await listener.until_received(1)
        await door.close()
        await listener.until(lambda: listener.source.problem)
        # Then it fails in another way.
        monkeypatch.setattr(
            client_of_home_assistant, "_SILENT", dict.fromkeys(client_of_home_assistant._SILENT, "is silent")
        )
        failed = listener.metrics["polls_failed"]
        await listener.until(lambda: listener.metrics["polls_failed"] >= failed + 3)
        await door.open()
        await listener.until_received(2)
        await listener.until(lambda: listener.source.problem is None)
    assert len([line for line in warnings_of(caplog) if "retrying" in line]) == 1
    assert warnings_of(caplog)[-1] == "Home Assistant responds again"
    # The same reading, which is stored once: it has the gateway's time.
    assert listener.messages[0].samples == listener.messages[1].samples


async def test_a_removed_entry_is_one_line_and_a_new_one_is_read(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    configure: Configure,
    fast_retries: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(entry)
    async with listen(configure()) as listener:
        await listener.until_received(1)
        await hass.config_entries.async_remove(entry.entry_id)
        await listener.until(lambda: listener.source.problem)
        assert "no gateway (gateway_serial_number: none): add the gateway there, or enable it" in (
            listener.source.problem or ""
        )
        await set_up(make_entry(simulator))
        await listener.until_received(2)
    lines = [
        line for line in warnings_of(caplog) if line.startswith("--home-assistant-url") or "refuses" in line
    ]
    assert len(lines) == 1


async def test_a_reload_of_the_entry_is_not_even_a_warning(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    set_up: SetUp,
    configure: Configure,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(entry)
    async with listen(configure()) as listener:
        await listener.until_received(1)
        await hass.config_entries.async_reload(entry.entry_id)
        await listener.until_received(2)
        assert warnings_of(caplog) == []


async def test_a_gateway_that_home_assistant_cannot_read_is_a_problem_until_it_can(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(coordinator, "_RETRY_DELAY", 0)
    await set_up(entry)
    async with listen(configure()) as listener:
        await listener.until_received(1)
        simulator.faults.set("status")
        await entry.runtime_data.async_refresh()
        await listener.until(lambda: "cannot read the gateway" in (listener.source.problem or ""))
        simulator.faults.clear()
        await entry.runtime_data.async_refresh()
        await listener.until_received(2)
        assert listener.source.problem is None
    assert warnings_of(caplog)[-1] == "gateway has readings again"


async def test_of_two_gateways_the_configured_one_is_read(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, configure: Configure
) -> None:
    await set_up(entry)
    with Simulator("single-phase", start=NOON, seed=99) as second:
        other = await set_up(make_entry(second))
        async with listen(configure()) as listener:
            await listener.until(lambda: listener.source.problem)
            assert "several gateways, name one (gateway_serial_number: " in (listener.source.problem or "")
            assert second.serial_number in (listener.source.problem or "")
        async with listen(configure(gateway_serial_number=second.serial_number)) as listener:
            await listener.until_received(1)
            assert listener.messages[0].gateway == second.serial_number
        await hass.config_entries.async_unload(other.entry_id)


@pytest.mark.parametrize("profile", ["no-meters"])
@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_wrong_clock_of_home_assistant_does_not_change_the_times_of_readings(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    set_up: SetUp,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
    hours: int,
) -> None:
    now = dt_util.utcnow
    monkeypatch.setattr(dt_util, "utcnow", lambda: now() + timedelta(hours=hours))
    monkeypatch.setattr(websocket_api, "time", SimpleNamespace(time=lambda: time.time() + hours * 3_600))
    await set_up(entry)
    async with listen(configure()) as listener:
        await listener.until_received(1)
    (message,) = listener.messages
    assert message.timestamp == pytest.approx(time.time(), abs=60)
    # Microinverters' readings have the time of the polling machine.
    assert message.samples[0].measured_at / 1000 == pytest.approx(time.time(), abs=60)


async def test_a_message_of_a_newer_version_is_one_line_that_says_what_to_update(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    set_up: SetUp,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(entry)
    as_content = client_message.Message.as_content
    newer = {"schema_version": 2, "added": {"by": "a newer version"}}
    monkeypatch.setattr(
        client_message.Message, "as_content", lambda message: {**as_content(message), **newer}
    )
    async with listen(configure()) as listener:
        await listener.until(lambda: listener.source.problem)
        assert (listener.source.problem or "").endswith(
            "sends an invalid message: schema_version 2, only 1 is supported: update this program"
        )
        await entry.runtime_data.async_refresh()
        # New keys alone change nothing.
        newer["schema_version"] = 1
        await entry.runtime_data.async_refresh()
        await listener.until_received(1)
        assert listener.source.problem is None
    assert len([line for line in warnings_of(caplog) if "update this program" in line]) == 1


async def test_home_assistant_without_the_integration_is_an_error_that_says_so(
    hass: HomeAssistant, url: str, configure: Configure
) -> None:
    async with listen(configure()) as listener:
        await listener.until(lambda: listener.source.problem)
        assert "its integration Enphase IQ Gateway is missing, not set up or older" in (
            listener.source.problem or ""
        )


async def test_while_home_assistant_starts_that_is_the_problem(
    hass: HomeAssistant, url: str, configure: Configure
) -> None:
    hass.set_state(CoreState.starting)
    async with listen(configure()) as listener:
        await listener.until(lambda: listener.source.problem)
        assert "is still starting; retrying" in (listener.source.problem or "")
    hass.set_state(CoreState.running)


async def test_events_are_confirmed(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    set_up: SetUp,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket_api, "MAX_UNCONFIRMED", 4)
    monkeypatch.setattr(stream, "CONFIRM_EVERY", 2)
    await set_up(entry)
    async with listen(configure()) as listener:
        for count in range(1, 10):
            await listener.until_received(count)
            await asyncio.sleep(1)  # the gateway's times are whole seconds
            await entry.runtime_data.async_refresh()
        assert listener.source.problem is None


@pytest.mark.parametrize("profile", ["production-only", "no-meters"])
@pytest.mark.parametrize("for_display", [False, True])
async def test_displays_and_storage_get_the_production_that_they_need(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    set_up: SetUp,
    configure: Configure,
    for_display: bool,
    profile: str,
) -> None:
    await set_up(entry)
    async with listen(configure(), for_display=for_display) as listener:
        await listener.until_received(1)
    assert listener.messages[0].has_unmetered_production is (profile == "no-meters")
    assert {sample.measurement for sample in listener.messages[0].samples} == {"production"}


@pytest.mark.parametrize("clock_speed", [0.0])
async def test_the_same_reading_by_both_ways_is_the_same_row(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    configure: Configure,
    tmp_path: Path,
) -> None:
    await set_up(entry)
    async with listen(configure()) as listener:
        await listener.until_received(1)
    (tmp_path / "gateway.cer").write_text(simulator.certificate_pem)
    settings = Settings(
        folder=tmp_path,
        origins={},
        files={},
        gateway_host=simulator.url,
        gateway_token=simulator.token(),
    )
    async with listen(settings) as poller:
        await poller.until_received(1)
    # The database's keys: gateway, measurement, phase and time; and all its values.
    assert poller.messages[0].samples == listener.messages[0].samples
    assert poller.messages[0].gateway == listener.messages[0].gateway
