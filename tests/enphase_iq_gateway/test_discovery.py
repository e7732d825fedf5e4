"""Discovery by mDNS: the setup of a new gateway, and the update of the address of a configured one."""

from ipaddress import IPv4Address, ip_address

import pytest
from homeassistant.config_entries import SOURCE_IGNORE, SOURCE_ZEROCONF, ConfigEntryState
from homeassistant.const import CONF_HOST
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from hypothesis import given
from hypothesis import strategies as st
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.config_flow import _discovered_host
from custom_components.enphase_iq_gateway.const import DOMAIN
from enphase_companion.simulator import Simulator

from .conftest import NOON, SetUp, make_entry
from .flow import Flow
from .helpers import UNREACHABLE, announcement


async def test_a_discovered_gateway_is_set_up_without_entering_its_address(
    flow: Flow, simulator: Simulator
) -> None:
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    assert flow.shows("trust")
    await flow.submit()
    await flow.choose("token")
    await flow.enter_token()
    await flow.submit()
    assert flow.shown["type"] is FlowResultType.CREATE_ENTRY
    assert flow.shown["data"][CONF_HOST] == simulator.url
    assert flow.shown["result"].unique_id == simulator.serial_number


async def test_the_title_of_a_discovered_gateway_has_its_serial_number(
    hass: HomeAssistant, flow: Flow, simulator: Simulator
) -> None:
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    [waiting] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert waiting["context"]["title_placeholders"] == {"name": f"IQ Gateway {simulator.serial_number}"}


@pytest.mark.parametrize(
    "properties",
    [{}, {"serialnum": None}, {"serialnum": ""}, {"serialnum": "122399999999"}],
)
async def test_the_gateway_is_identified_by_the_serial_number_that_it_reports(
    flow: Flow, simulator: Simulator, properties: dict[str, str | None]
) -> None:
    await flow.start(SOURCE_ZEROCONF, announcement(simulator, properties=properties))
    assert flow.shows("trust")
    placeholders = flow.shown["description_placeholders"] or {}
    assert placeholders["serial"] == simulator.serial_number


@pytest.mark.parametrize("serial_number", ["☀" * 300, "12239999999x", "# 122399999999", "1" * 33, "\x1b[2K"])
async def test_an_announcement_with_an_invalid_serial_number_causes_no_request(
    flow: Flow, simulator: Simulator, serial_number: str
) -> None:
    await flow.start(SOURCE_ZEROCONF, announcement(simulator, properties={"serialnum": serial_number}))
    assert flow.aborts("not_a_gateway")
    assert simulator.requests == []


@given(
    st.ip_addresses(v=4),
    st.none() | st.integers(-1, 70000),
    st.dictionaries(st.text(max_size=9), st.none() | st.text(max_size=9), max_size=4),
)
def test_every_announcement_yields_an_address(
    ip: IPv4Address, port: int | None, properties: dict[str, str | None]
) -> None:
    host = _discovered_host(
        ZeroconfServiceInfo(
            ip_address=ip,
            ip_addresses=[ip],
            port=port,
            hostname="envoy.local.",
            type="_enphase-envoy._tcp.local.",
            name="envoy._enphase-envoy._tcp.local.",
            properties=properties,
        )
    )
    assert host.partition(":")[0] == str(ip)
    assert host.partition(":")[2] in ("", str(port))


async def test_ipv6_announcements_are_ignored(flow: Flow, simulator: Simulator) -> None:
    await flow.start(SOURCE_ZEROCONF, announcement(simulator, "fe80::1"))
    assert flow.aborts("not_ipv4_address")
    assert simulator.requests == []


@pytest.mark.parametrize(
    ("fault", "reason"), [("html", "not_a_gateway"), ("reset", "cannot_connect"), ("status", "not_a_gateway")]
)
async def test_an_announcement_without_a_gateway_aborts(
    flow: Flow, simulator: Simulator, fault: str, reason: str
) -> None:
    simulator.faults.set(fault, "/info")
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    assert flow.aborts(reason)


@pytest.mark.parametrize("profile", ["old-firmware"])
async def test_a_discovered_gateway_with_firmware_before_7_is_rejected(
    flow: Flow, simulator: Simulator
) -> None:
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    assert flow.aborts("unsupported_firmware")
    assert flow.shown["description_placeholders"] == {"firmware": "5.0.62"}


async def test_two_announcements_of_one_gateway_start_one_flow(
    hass: HomeAssistant, flow: Flow, simulator: Simulator
) -> None:
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    again = Flow(hass, simulator)
    await again.start(SOURCE_ZEROCONF, announcement(simulator))
    assert again.aborts("already_in_progress")


@pytest.mark.parametrize("properties", [{}, {"serialnum": "122399999999"}])
async def test_a_configured_gateway_is_recognized_despite_a_wrong_announcement(
    flow: Flow, simulator: Simulator, set_up: SetUp, entry: MockConfigEntry, properties: dict[str, str]
) -> None:
    await set_up(entry)
    await flow.start(SOURCE_ZEROCONF, announcement(simulator, properties=properties))
    assert flow.aborts("already_configured")


async def test_the_current_address_is_kept_while_it_answers(
    flow: Flow, simulator: Simulator, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry)
    # The second address of a gateway with both Wi-Fi and Ethernet.
    with Simulator("three-phase", start=NOON, longitude=0) as second:
        await flow.start(SOURCE_ZEROCONF, announcement(second))
    assert flow.aborts("already_configured")
    assert entry.data[CONF_HOST] == simulator.url


async def test_the_address_of_a_gateway_that_has_moved_is_updated(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, {CONF_HOST: UNREACHABLE}), state=ConfigEntryState.SETUP_RETRY)
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    assert flow.aborts("already_configured")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.data[CONF_HOST] == simulator.url
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize(
    ("port", "host"),
    [(None, "192.168.1.20"), (80, "192.168.1.20"), (443, "192.168.1.20"), (8443, "192.168.1.20:8443")],
)
def test_only_an_unusual_port_is_part_of_an_announced_address(port: int | None, host: str) -> None:
    address = ip_address("192.168.1.20")
    info = ZeroconfServiceInfo(
        ip_address=address, ip_addresses=[address], port=port, hostname="", type="", name="", properties={}
    )
    assert _discovered_host(info) == host


async def test_an_ignored_gateway_is_recognized_by_its_serial_number(
    hass: HomeAssistant, flow: Flow, simulator: Simulator
) -> None:
    MockConfigEntry(domain=DOMAIN, unique_id=simulator.serial_number, source=SOURCE_IGNORE).add_to_hass(hass)
    await flow.start(SOURCE_ZEROCONF, announcement(simulator, properties={}))
    assert flow.aborts("already_configured")


async def test_no_request_is_sent_to_an_ignored_gateway(
    hass: HomeAssistant, flow: Flow, simulator: Simulator
) -> None:
    ignored = MockConfigEntry(domain=DOMAIN, unique_id=simulator.serial_number, source=SOURCE_IGNORE)
    ignored.add_to_hass(hass)
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    assert flow.aborts("already_configured")
    assert simulator.requests == []
    assert ignored.data == {}
