"""Adding a gateway: by its address, and by discovery."""

import pytest
from playwright.async_api import expect

from development.demo.flow import DOMAIN
from tests.browser.frontend import Frontend
from tests.browser.home import Home
from tests.browser.texts import grouped, text_of

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


@pytest.mark.usefixtures("without_gateway")
async def test_a_gateway_is_added_by_its_address_and_an_account(home: Home, frontend: Frontend) -> None:
    gateway, flow = home.gateway, frontend.flow
    before = len(gateway.requests)
    await frontend.open(f"/config/integrations/dashboard/add?domain={DOMAIN}")
    await frontend.confirmation.press("OK")

    await flow.shows(
        text_of("config.step.user.title"),
        text_of("config.step.user.description"),
        text_of("config.step.user.data_description.host"),
    )
    await expect(flow.field("host")).to_have_value("envoy.local")
    await frontend.picture("add-1-address", flow.frame)
    await flow.fill(host=gateway.url)
    await flow.press("Next")

    await flow.shows(text_of("config.step.trust.title"), gateway.serial_number, grouped(gateway.fingerprint))
    await frontend.picture("add-2-trust", flow.frame)
    assert not any(request.has_authorization for request in gateway.requests[before:])
    await flow.press("Next")

    await flow.shows(text_of("config.step.sign_in.title"), text_of("config.step.sign_in.description"))
    await frontend.picture("add-3-sign-in", flow.frame)
    await flow.choose(text_of("config.step.sign_in.menu_options.account"))

    await flow.fill(username=gateway.username, password="wrong")
    await flow.press("Next")
    await flow.shows(text_of("config.error.invalid_auth"))
    await expect(flow.field("username")).to_have_value(gateway.username)
    await expect(flow.field("password")).to_have_value("")
    await frontend.picture("add-4-wrong-password", flow.frame)
    assert not any(request.has_authorization for request in gateway.requests[before:])
    await flow.fill(password=gateway.password)
    await flow.press("Next")

    await flow.shows(text_of("config.step.meters_found.title"))
    await flow.shows("Production: split phase", "Grid: split phase", "Battery: split phase")
    await frontend.picture("add-5-metered", flow.frame)
    await flow.press("Submit")

    await flow.shows("Name and assign", "IQ Gateway")
    await frontend.picture("add-6-devices", flow.frame)
    await flow.press("Skip and finish", "Finish")
    await flow.wait_until_closed()
    await frontend.page.locator("ha-integration-card").filter(has_text="Enphase IQ Gateway").wait_for()
    await frontend.picture("add-7-done")
    (entry,) = await home.entries()
    assert (entry["title"], entry["state"]) == (f"IQ Gateway {gateway.serial_number}", "loaded")


@pytest.mark.usefixtures("without_gateway")
async def test_untrusted_text_in_a_dialog_is_not_rendered(home: Home, frontend: Frontend) -> None:
    gateway, flow = home.gateway, frontend.flow
    words = "# `![x](/x.png) [b](//b.example) <h1>c"
    rendered = frontend.page.locator("dialog-data-entry-flow ha-markdown")
    gateway.renew_certificate(common_name=words)
    try:
        await frontend.open(f"/config/integrations/dashboard/add?domain={DOMAIN}")
        await frontend.confirmation.press("OK")
        await flow.fill(host=gateway.url)
        await flow.press("Next")
        await flow.shows(words.replace("`", "'"), grouped(gateway.fingerprint))
        await frontend.picture("stranger-trust", flow.frame)
        await expect(rendered.locator("h1, img, a")).to_have_count(0)
        await expect(rendered.locator("code").last).to_have_text(grouped(gateway.fingerprint))
        # An open flow would block other flows of this gateway.
        await flow.press("Close")
        await flow.wait_until_closed()
    finally:
        gateway.renew_certificate()


@pytest.mark.usefixtures("without_gateway")
async def test_a_discovered_gateway_is_added_with_a_token(home: Home, frontend: Frontend) -> None:
    gateway, flow = home.gateway, frontend.flow
    await frontend.open("/config/integrations/dashboard")
    async with gateway.announced():
        cards = frontend.page.locator("ha-config-flow-card")
        # The built-in integration discovers the same gateway, and the cards may change their order.
        await expect(cards).to_have_count(2)
        card = cards.filter(has_text="Enphase IQ Gateway")
        await frontend.picture("discovery-1-found")
        await card.get_by_role("button", name="Add").click()

        await flow.shows(
            text_of("config.step.trust.title"), gateway.serial_number, grouped(gateway.fingerprint)
        )
        await frontend.picture("discovery-2-trust", flow.frame)
        await flow.press("Next")
        await flow.choose(text_of("config.step.sign_in.menu_options.token"))
        await flow.shows(text_of("config.step.token.title"), gateway.serial_number)
        await flow.fill(token=gateway.token())
        await frontend.picture("discovery-3-token", flow.frame)
        await flow.press("Next")
        await flow.shows(text_of("config.step.meters_found.title"))
        await flow.press("Submit")
        await flow.press("Skip and finish", "Finish")
        await flow.wait_until_closed()
        await card.wait_for(state="detached")
    (entry,) = await home.entries()
    assert (entry["source"], entry["state"]) == ("zeroconf", "loaded")
