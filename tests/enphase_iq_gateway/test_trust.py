"""Trust: texts of a device are untrusted, and two devices can claim the same serial number."""

import json
import re
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_IGNORE, SOURCE_ZEROCONF, ConfigEntryState
from homeassistant.const import CONF_HOST
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from markdown_it import MarkdownIt
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway import config_flow, trust_flow
from custom_components.enphase_iq_gateway.const import CONF_CERTIFICATE, DOMAIN
from custom_components.enphase_iq_gateway.enphase_api.local import Certificate
from custom_components.enphase_iq_gateway.helpers import escape_code, format_fingerprint
from enphase_companion.simulator import Simulator

from .conftest import NOON, SetUp, make_entry
from .flow import Flow, nothing_secret_was_sent
from .helpers import UNREACHABLE, announcement
from .texts import LANGUAGES, TEXTS, leaves

#: Placeholders whose texts come from a device or the network.
OF_PEERS = {"firmware", "host", "new", "serial", "shown", "subject"}

MARKDOWN = MarkdownIt("commonmark", {"html": True})


def claim_issue(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, f"serial_number_conflict_{entry.entry_id}")


# Translated words are not untrusted.


@pytest.mark.parametrize("language", LANGUAGES)
def test_untrusted_texts_are_in_code_spans_wherever_markdown_is_rendered(language: str) -> None:
    texts = LANGUAGES[language]
    config = texts["config"]
    rendered = {"step": config["step"], "abort": config["abort"], "issues": texts["issues"]}
    for path, text in leaves(rendered):
        if path[-1] == "title" or "data" in path[-2] or "menu_option" in path[-2]:
            # Shown as plain text.
            continue
        outside = re.sub(r"`[^`]*`", "", text)
        named = set(re.findall(r"{(\w+)}", outside)) & OF_PEERS
        # Serial numbers are digits, and firmware versions letters, digits and dots: they cannot be rendered.
        assert named <= {"serial", "firmware"}, (path, named)


HOSTILE = ["# Safe", "![](https://x.example/a)", "`[a](b)", "<b>`x", "**a**", "a_b_", "&lt;`|"]


@pytest.mark.parametrize("words", HOSTILE)
async def test_the_subject_of_a_certificate_is_not_rendered_as_markdown(
    flow: Flow, simulator: Simulator, words: str
) -> None:
    simulator.renew_certificate(common_name=words)
    await flow.start()
    await flow.enter_host()
    assert flow.shows("trust")
    placeholders = flow.shown["description_placeholders"] or {}
    text = TEXTS["config"]["step"]["trust"]["description"]
    plain = MARKDOWN.render(text.format(**{**placeholders, "subject": "x"}))
    shown = MARKDOWN.render(text.format(**placeholders))
    assert re.findall(r"<[^>]*>", shown) == re.findall(r"<[^>]*>", plain)


def test_the_fingerprint_is_the_last_part_of_a_dialog() -> None:
    for texts in LANGUAGES.values():
        steps = texts["config"]["step"]
        for step in ("trust", "serial_number_conflict"):
            assert steps[step]["description"].endswith("`{fingerprint}`")
        repair = texts["issues"]["certificate_changed"]["fix_flow"]["step"]["confirm"]
        for description in (steps["certificate_changed"]["description"], repair["description"]):
            assert description.endswith("`{shown}`")


def test_an_untrusted_text_cannot_close_its_code_span() -> None:
    assert escape_code("a`b``c") == "a'b''c"
    assert escape_code("a\n\u202eb").isprintable()
    assert escape_code("") == "-"
    assert escape_code("a" * 255) == "a" * 255


# Two devices that claim the same serial number.


async def test_two_discovered_devices_with_one_serial_number_are_shown_in_both_dialogs(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, rival: Simulator
) -> None:
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    assert flow.shows("trust")
    other = Flow(hass, rival)
    await other.start(SOURCE_ZEROCONF, announcement(rival))
    assert other.shows("serial_number_conflict")
    placeholders = other.shown["description_placeholders"] or {}
    assert (placeholders["host"], placeholders["others"]) == (rival.url, f"`{simulator.url}`")
    assert placeholders["fingerprint"] == format_fingerprint(rival.fingerprint)
    # The user submits the form that was shown before the second device was discovered.
    await flow.submit()
    assert flow.shows("serial_number_conflict")
    placeholders = flow.shown["description_placeholders"] or {}
    assert (placeholders["host"], placeholders["others"]) == (simulator.url, f"`{rival.url}`")
    await flow.submit()
    assert flow.shows("sign_in")
    assert nothing_secret_was_sent(simulator)
    assert nothing_secret_was_sent(rival)


async def test_adding_a_gateway_by_address_warns_of_another_device_with_its_serial_number(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, rival: Simulator
) -> None:
    await Flow(hass, rival).start(SOURCE_ZEROCONF, announcement(rival))
    await flow.start()
    await flow.enter_host()
    assert flow.shows("serial_number_conflict")


async def test_a_rival_device_is_forgotten_with_its_flow(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, rival: Simulator
) -> None:
    other = Flow(hass, rival)
    await other.start(SOURCE_ZEROCONF, announcement(rival))
    hass.config_entries.flow.async_abort(other.shown["flow_id"])
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    assert flow.shows("trust")


async def test_a_gateway_with_two_addresses_starts_one_flow(
    hass: HomeAssistant, flow: Flow, simulator: Simulator
) -> None:
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    with Simulator("three-phase", start=NOON, longitude=0) as second:
        again = Flow(hass, second)
        await again.start(SOURCE_ZEROCONF, announcement(second))
    assert again.aborts("already_in_progress")


async def test_a_device_that_announces_a_polled_gateway_is_only_reported(
    hass: HomeAssistant,
    flow: Flow,
    rival: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(entry)
    before = dict(entry.data)
    for _ in range(3):
        await flow.start(SOURCE_ZEROCONF, announcement(rival))
        assert flow.aborts("serial_number_conflict")
    assert dict(entry.data) == before
    assert nothing_secret_was_sent(rival)
    issue = claim_issue(hass, entry)
    assert issue is not None
    assert not issue.is_fixable
    assert str(entry.unique_id) not in json.dumps(issue.to_json())
    assert caplog.text.count(f"{rival.url} announces the serial number of a configured gateway") == 1
    await hass.config_entries.async_remove(entry.entry_id)
    assert claim_issue(hass, entry) is None


async def test_the_address_of_a_device_that_impersonates_a_configured_gateway_is_rejected(
    flow: Flow, rival: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    await flow.start()
    await flow.enter_host(rival.url)
    assert flow.aborts("serial_number_conflict")
    assert nothing_secret_was_sent(rival)


async def test_an_ignored_gateway_can_be_added_by_its_address(
    hass: HomeAssistant, flow: Flow, simulator: Simulator
) -> None:
    MockConfigEntry(domain=DOMAIN, unique_id=simulator.serial_number, source=SOURCE_IGNORE).add_to_hass(hass)
    await flow.reach("token")
    await flow.enter_token()
    assert flow.shows("meters_found")


# Another key is never trusted as a first contact.


async def test_an_announcement_with_another_key_of_an_offline_gateway_creates_the_issue(
    flow: Flow, simulator: Simulator, rival: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, {CONF_HOST: UNREACHABLE}), state=ConfigEntryState.SETUP_RETRY)
    await flow.start(SOURCE_ZEROCONF, announcement(rival))
    assert flow.shows("certificate_changed")
    placeholders = flow.shown["description_placeholders"] or {}
    assert placeholders["trusted"] == format_fingerprint(
        Certificate.from_pem(simulator.certificate_pem).fingerprint
    )
    assert placeholders["shown"] == format_fingerprint(rival.fingerprint)
    assert placeholders["host"] == rival.url
    assert entry.data[CONF_HOST] == UNREACHABLE
    assert nothing_secret_was_sent(rival)
    await flow.submit()
    await flow.require_abort("reconfigure_successful")
    assert (entry.data[CONF_HOST], entry.data[CONF_CERTIFICATE]) == (rival.url, rival.certificate_pem)
    assert entry.state is ConfigEntryState.LOADED


async def test_an_open_dialog_aborts_when_the_gateway_is_online_again(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, rival: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, {CONF_HOST: UNREACHABLE}), state=ConfigEntryState.SETUP_RETRY)
    await flow.start(SOURCE_ZEROCONF, announcement(rival))
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_HOST: simulator.url})
    await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    await flow.submit()
    assert flow.aborts("serial_number_conflict")
    assert entry.data[CONF_HOST] == simulator.url
    assert nothing_secret_was_sent(rival)


async def test_a_key_that_changes_between_trust_and_sign_in_must_be_trusted_again(
    flow: Flow, simulator: Simulator
) -> None:
    await flow.reach("token")
    before = simulator.fingerprint
    simulator.renew_certificate(same_key=False)
    simulator.requests.clear()
    await flow.enter_token()
    assert flow.shows("certificate_changed")
    placeholders = flow.shown["description_placeholders"] or {}
    assert (placeholders["trusted"], placeholders["shown"]) == (
        format_fingerprint(before),
        format_fingerprint(simulator.fingerprint),
    )
    assert simulator.requests == []
    await flow.submit()
    assert flow.shows("meters_found")
    await flow.submit()
    assert flow.shown["type"] is FlowResultType.CREATE_ENTRY
    assert flow.shown["data"][CONF_CERTIFICATE] == simulator.certificate_pem


async def test_a_certificate_that_names_another_gateway_cannot_be_trusted(
    flow: Flow, simulator: Simulator
) -> None:
    await flow.reach("token")
    simulator.renew_certificate(same_key=False, common_name="122399999999")
    simulator.requests.clear()
    await flow.enter_token()
    assert flow.shows("token", "certificate_mismatch")
    assert simulator.requests == []


async def test_nothing_is_sent_to_a_reconfigured_gateway_with_another_key_before_it_is_trusted(
    flow: Flow, rival: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    await flow.reconfigure(entry.entry_id, "address")
    await flow.enter_host(rival.url)
    assert flow.shows("certificate_changed")
    assert nothing_secret_was_sent(rival)


# The number is limited.


@pytest.mark.parametrize("limit", ["MAX_FLOWS", "MAX_FLOWS_PER_ADDRESS"])
async def test_the_number_of_discovery_flows_is_limited(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(config_flow, limit, 1)
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    with Simulator("three-phase", seed=2, start=NOON, longitude=0) as further:
        other = Flow(hass, further)
        await other.start(SOURCE_ZEROCONF, announcement(further))
        assert other.aborts("too_many_discoveries")
        assert further.requests == []
        # A user can still add a gateway.
        by_hand = Flow(hass, further)
        await by_hand.start()
        await by_hand.enter_host()
        assert by_hand.shows("trust")


async def test_a_flow_stores_only_address_serial_number_and_key(
    hass: HomeAssistant, flow: Flow, simulator: Simulator
) -> None:
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    [candidate] = hass.data[trust_flow._CANDIDATES].values()
    assert candidate.host == simulator.url
    hass.config_entries.flow.async_abort(flow.shown["flow_id"])
    left: list[Any] = list(hass.data[trust_flow._CANDIDATES].values())
    assert left == []
