"""Home Assistant's frontend: its pages and dialogs, by the texts that a user sees.

Playwright's locators pierce shadow roots, except `get_by_label`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, FloatRect, Locator, Page, Playwright, expect

from development.demo.owner import PASSWORD, USERNAME

#: Milliseconds; only a very busy machine needs so long.
TIMEOUT = 30_000
WIDTH, HEIGHT = 1280, 900
#: Screenshots at most until two in a row are equal; an animation may never end.
_MAX_SCREENSHOTS = 6
_MARGIN = 16


async def chromium(playwright: Playwright, program: str) -> Browser:
    """Start the system's browser."""
    expect.set_options(timeout=TIMEOUT)
    # In a container, root cannot use the sandbox, and /dev/shm is small.
    options = ["--no-sandbox", "--disable-dev-shm-usage"]
    return await playwright.chromium.launch(executable_path=program, args=options)


@asynccontextmanager
async def open_page(browser: Browser, url: str, pictures: Path) -> AsyncIterator[Frontend]:
    """Open a new browser context with one page."""
    context = await browser.new_context(
        base_url=url,
        viewport={"width": WIDTH, "height": HEIGHT},
        locale="en-GB",
        reduced_motion="reduce",
    )
    context.set_default_timeout(TIMEOUT)
    try:
        yield Frontend(await context.new_page(), pictures)
    finally:
        await context.close()


def leading_number(text: str) -> float:
    """Return the number at the beginning of a text such as "-1,147.5 W". Raises ValueError without one."""
    return float(text.split(maxsplit=1)[0].replace(",", "").replace("\N{MINUS SIGN}", "-"))


class Frontend:
    """A page in the browser."""

    def __init__(self, page: Page, pictures: Path) -> None:
        self.page = page
        self._pictures = pictures

    async def sign_in(self) -> None:
        """Sign in as the owner."""
        await self.open("/")
        await self.page.locator("input[name=username]").fill(USERNAME)
        await self.page.locator("input[name=password]").fill(PASSWORD)
        await self.picture("sign-in")
        await self.page.keyboard.press("Enter")
        await self.page.locator("home-assistant-main").wait_for()

    async def open(self, path: str, height: int = HEIGHT, width: int = WIDTH) -> None:
        """Open a path of Home Assistant."""
        await self.page.set_viewport_size({"width": width, "height": height})
        # The page never becomes idle.
        await self.page.goto(path, wait_until="domcontentloaded")

    async def picture(self, name: str, of: Locator | None = None) -> None:
        """Save a screenshot of the page, or of a part with a margin, once all animations have ended."""
        # Do not show hover effects.
        await self.page.mouse.move(0, 0)
        clip = await self._around(of) if of else None
        shown = b""
        for _ in range(_MAX_SCREENSHOTS):
            before, shown = shown, await self.page.screenshot(animations="disabled", clip=clip)
            if shown == before:
                break
            clip = await self._around(of) if of else None
        self._pictures.mkdir(exist_ok=True)
        (self._pictures / f"{name}.png").write_bytes(shown)

    async def _around(self, part: Locator) -> FloatRect:
        box = await part.bounding_box()
        assert box
        left, top = max(0, box["x"] - _MARGIN), max(0, box["y"] - _MARGIN)
        right, bottom = box["x"] + box["width"] + _MARGIN, box["y"] + box["height"] + _MARGIN
        return {"x": left, "y": top, "width": right - left, "height": bottom - top}

    @property
    def flow(self) -> Dialog:
        """The dialog of a flow: the setup or options of an integration, or a repair."""
        return Dialog(self.page.locator("dialog-data-entry-flow"))

    @property
    def confirmation(self) -> Dialog:
        """The dialog that asks for a confirmation."""
        return Dialog(self.page.locator("dialog-box"))

    async def open_entry(self, domain: str) -> Locator:
        """Open the page of an integration, and return its only entry."""
        await self.open(f"/config/integrations/integration/{domain}")
        entry = self.page.locator("ha-config-entry-row")
        await entry.wait_for()
        return entry

    async def open_menu(self, entry: Locator, words: str) -> Locator:
        """Open the menu of an entry, and return an item."""
        menu = entry.locator("ha-dropdown").first
        await menu.locator("ha-icon-button").first.click()
        item = menu.locator("ha-dropdown-item").filter(has_text=words)
        await item.wait_for()
        return item

    def state_of(self, name: str) -> Locator:
        """Return the state of a sensor on the page of its device."""
        row = self.page.locator("hui-generic-entity-row")
        return row.filter(has=self.page.locator(f'.info[title="{name}"]'))


class Dialog:
    """A dialog: its texts, fields and buttons."""

    def __init__(self, root: Locator) -> None:
        self._root = root

    @property
    def frame(self) -> Locator:
        """The visible part."""
        return self._root.locator("dialog").first

    async def shows(self, *texts: str) -> None:
        """Wait until the dialog shows these texts."""
        for text in texts:
            await self._root.get_by_text(text).first.wait_for()

    def field(self, name: str) -> Locator:
        """Return a text field."""
        return self._root.locator(f"input[name={name}]")

    @property
    def number(self) -> Locator:
        """The field for a number."""
        return self._root.locator("ha-selector-number input")

    async def fill(self, **values: str) -> None:
        """Fill text fields."""
        for name, value in values.items():
            await self.field(name).fill(value)

    async def choose(self, words: str) -> None:
        """Choose a menu option."""
        await self._root.get_by_text(words).click()

    async def press(self, *names: str) -> None:
        """Press the button with one of these names."""
        pattern = re.compile(f"^({'|'.join(map(re.escape, names))})$")
        # The close icon can have the same name as the button at the bottom.
        await self._root.get_by_role("button", name=pattern).last.click()

    async def wait_until_closed(self) -> None:
        """Wait until the dialog is closed."""
        await expect(self.frame).to_be_hidden()
        # Closing goes back in the browser history, and would leave a page that is opened too early.
        await self._root.page.wait_for_function("!history.state?.open && !history.state?.dialog")
