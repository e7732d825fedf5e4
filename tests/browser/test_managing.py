"""Managing a gateway: options, diagnostics, address, replacement, certificate, token, removal."""

import json
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from development.demo.entities import find_device
from development.demo.flow import DOMAIN
from tests.browser.frontend import Frontend
from tests.browser.home import Gateway, Home
from tests.browser.texts import grouped, text_of

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.usefixtures("with_gateway"),
]

#: Seconds; enough to set up a gateway with the token.
SOON = 20


async def test_the_interval_can_be_changed(home: Home, frontend: Frontend) -> None:
    entry, flow = await frontend.open_entry(DOMAIN), frontend.flow
    await entry.get_by_role("button", name="Configure").click()
    await flow.shows(
        text_of("options.step.init.title"), text_of("options.step.init.data_description.scan_interval")
    )
    await expect(flow.number).to_have_value("1")
    await flow.number.fill("301")
    await flow.press("Submit")
    await flow.shows("Enter a number of seconds from 1 to 300.")
    await frontend.picture("options-1-too-long", flow.frame)
    await flow.number.fill("30")
    await flow.press("Submit")
    await flow.press("Finish")
    await flow.wait_until_closed()
    await entry.get_by_role("button", name="Configure").click()
    await expect(flow.number).to_have_value("30")
    await frontend.picture("options-2-as-left", flow.frame)
    await flow.press("Submit")
    await flow.press("Finish")
    await flow.wait_until_closed()


async def test_the_downloaded_diagnostics_contain_no_secrets(home: Home, frontend: Frontend) -> None:
    entry = await frontend.open_entry(DOMAIN)
    item = await frontend.open_menu(entry, "Download diagnostics")
    await frontend.picture("diagnostics")
    async with frontend.page.expect_download() as download:
        await item.click()
    file = await download.value
    text = Path(await file.path()).read_text()
    assert json.loads(text)["data"]["production"] is None
    for secret in (home.gateway.serial_number, home.gateway.username, home.gateway.password, "eyJ", "BEGIN"):
        assert secret not in text


async def test_the_address_of_a_gateway_can_be_changed(home: Home, frontend: Frontend) -> None:
    old = home.gateway.url
    home.gateway.move()
    power = await _open_device(home, frontend)
    await expect(power).to_contain_text("Unavailable")
    await frontend.picture("reconfigure-1-unavailable")

    flow = frontend.flow
    await (await frontend.open_menu(await frontend.open_entry(DOMAIN), "Reconfigure")).click()
    await flow.shows(text_of("config.step.reconfigure.title"), text_of("config.step.reconfigure.description"))
    await frontend.picture("reconfigure-2-what", flow.frame)
    await flow.choose(text_of("config.step.reconfigure.menu_options.address"))
    await flow.shows(text_of("config.step.address.title"), text_of("config.step.address.description"))
    await expect(flow.field("host")).to_have_value(old)
    await flow.press("Next")
    await flow.shows(text_of("config.error.connection_refused"))
    await flow.fill(host=home.gateway.url)
    await frontend.picture("reconfigure-3-address", flow.frame)
    await flow.press("Next")
    await flow.shows("Reconfiguration was successful")
    await frontend.picture("reconfigure-4-done", flow.frame)
    await flow.press("Close", "Finish")
    await flow.wait_until_closed()
    await expect(await _open_device(home, frontend)).to_contain_text("W")


async def test_a_new_gateway_replaces_the_old_one_and_keeps_its_entities(
    home: Home, frontend: Frontend
) -> None:
    device = await find_device(home.owner, DOMAIN, home.gateway.serial_number)
    power, flow = (await home.sensors())["production_power"], frontend.flow
    with Gateway("battery", seed=2, hour_of_day=13) as successor:
        await (await frontend.open_menu(await frontend.open_entry(DOMAIN), "Reconfigure")).click()
        await flow.choose(text_of("config.step.reconfigure.menu_options.address"))
        await flow.fill(host=f"{successor.url}/home")
        await flow.press("Next")
        await flow.shows(text_of("config.step.certificate_changed.title"), successor.serial_number)
        await flow.press("Next")
        await flow.shows(
            text_of("config.step.replace.title"), successor.serial_number, home.gateway.serial_number
        )
        await frontend.picture("replace-1-question", flow.frame)
        assert not any(request.has_authorization for request in successor.requests)
        await flow.press("Next")
        await flow.choose(text_of("config.step.sign_in.menu_options.token"))
        await flow.fill(token=successor.token())
        await flow.press("Submit")
        await flow.shows("Reconfiguration was successful")
        await flow.press("Close", "Finish")
        await flow.wait_until_closed()
        await frontend.open(f"/config/devices/device/{device['id']}")
        await expect(frontend.state_of("Production power")).to_contain_text("W")
        await frontend.picture("replace-2-done")
        assert await home.state(power) not in ("unavailable", "unknown")
        await home.remove_gateway()


async def test_a_changed_certificate_can_be_trusted_in_a_repair(home: Home, frontend: Frontend) -> None:
    trusted = home.gateway.fingerprint
    home.gateway.renew_certificate(same_key=False)
    since = len(home.gateway.requests)
    await frontend.open("/config/repairs")
    issue = frontend.page.locator("ha-config-repairs").get_by_text(
        text_of("issues.certificate_changed.title")
    )
    await issue.wait_for()
    await frontend.picture("certificate-1-repairs")
    await issue.click()

    flow = frontend.flow
    await flow.shows(text_of("issues.certificate_changed.fix_flow.step.confirm.title"))
    await flow.shows(grouped(trusted), grouped(home.gateway.fingerprint))
    await frontend.picture("certificate-2-question", flow.frame)
    assert len(home.gateway.requests) == since
    await flow.press("Submit")
    await flow.shows("The issue is repaired")
    await flow.press("Finish")
    await flow.wait_until_closed()
    await issue.wait_for(state="detached")
    await expect(await _open_device(home, frontend)).to_contain_text("W")


async def test_an_expired_token_is_replaced_by_signing_in_again(home: Home, frontend: Frontend) -> None:
    await home.add_gateway(token=home.gateway.token(lifetime=SOON))
    power = await _open_device(home, frontend)
    await expect(power).to_contain_text("Unavailable")
    await frontend.picture("token-1-unavailable")

    flow = frontend.flow
    await frontend.open("/config/integrations/dashboard")
    card = frontend.page.locator("ha-config-flow-card").filter(has_text="Enphase IQ Gateway")
    await card.wait_for()
    await frontend.picture("token-2-attention")
    await card.get_by_role("button", name="Reconfigure").click()
    await flow.shows(
        text_of("config.step.reauth_confirm.title"), text_of("config.step.reauth_confirm.description")
    )
    await frontend.picture("token-3-sign-in-again", flow.frame)
    await flow.choose(text_of("config.step.reauth_confirm.menu_options.account"))
    await flow.fill(username=home.gateway.username, password=home.gateway.password)
    await frontend.picture("token-4-account", flow.frame)
    await flow.press("Submit")
    await flow.shows("Re-authentication was successful")
    await frontend.picture("token-5-done", flow.frame)
    await flow.press("Close", "Finish")
    await flow.wait_until_closed()
    await card.wait_for(state="detached")
    await expect(await _open_device(home, frontend)).to_contain_text("W")


async def test_a_removed_gateway_leaves_no_entities_behind(home: Home, frontend: Frontend) -> None:
    entry = await frontend.open_entry(DOMAIN)
    await (await frontend.open_menu(entry, "Delete")).click()
    await frontend.confirmation.shows("Delete")
    await frontend.picture("remove-1-question", frontend.confirmation.frame)
    await frontend.confirmation.press("Delete")
    await entry.wait_for(state="detached")
    await frontend.picture("remove-2-done")
    assert await home.entries() == []
    devices = await home.owner.ask("config/device_registry/list")
    assert not any(DOMAIN in (kind for kind, _ in device["identifiers"]) for device in devices)


async def _open_device(home: Home, frontend: Frontend) -> Locator:
    """Open the page of the gateway, and return the state of the production power."""
    device = await find_device(home.owner, DOMAIN, home.gateway.serial_number)
    await frontend.open(f"/config/devices/device/{device['id']}")
    return frontend.state_of("Production power")
