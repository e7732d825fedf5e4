"""Pictures of a running demo as its owner sees it in Chromium, for README and docs."""

from __future__ import annotations

import argparse
import asyncio
import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.async_api import Page, async_playwright

from .entities import device_of
from .errors import DemoError
from .flow import DOMAIN
from .options import PROJECT
from .owner import PASSWORD, USERNAME, Owner

WIDTH = 1280


async def take(url: str, folder: Path) -> list[Path]:
    """Take the pictures and return their files. Raises DemoError without a browser or a demo."""
    browser_program = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_program is None:
        raise DemoError("chromium is not installed: on Debian, `apt-get install chromium` as root")
    async with Owner(url) as owner:
        await owner.sign_in()
        device = await device_of(owner, DOMAIN)
    async with async_playwright() as playwright:
        # A container's root may not use the sandbox, and its /dev/shm is small.
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = await playwright.chromium.launch(executable_path=browser_program, args=options)
        page = await browser.new_page(viewport={"width": WIDTH, "height": 900}, locale="en-GB")
        await _sign_in(page, url)
        await _open(page, f"{url}/config/devices/device/{device['id']}", 980)
        await _take(page, folder / "device-page.png")
        await _open(page, f"{url}/energy/electricity", 1440)
        # Yesterday is a whole day.
        await page.locator("hui-energy-period-selector").get_by_role("button", name="Previous").click()
        await _take(page, folder / "energy-dashboard.png")
    return [folder / "device-page.png", folder / "energy-dashboard.png"]


async def _sign_in(page: Page, url: str) -> None:
    await page.goto(url, wait_until="domcontentloaded")
    await page.locator("input[name=username]").fill(USERNAME)
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.locator("home-assistant-main").wait_for()


async def _open(page: Page, address: str, height: int) -> None:
    await page.set_viewport_size({"width": WIDTH, "height": height})
    await page.goto(address, wait_until="domcontentloaded")


async def _take(page: Page, file: Path) -> None:
    # Cards and charts come in one after the other, and the page never says that it is done.
    await page.wait_for_timeout(6000)
    picture = Image.open(io.BytesIO(await page.screenshot()))
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)


def main() -> int:
    """Run the command and return its exit status."""
    options = argparse.ArgumentParser(prog="scripts/screenshots", description=__doc__)
    options.add_argument(
        "--url", default="http://127.0.0.1:8123", help="the demo's address (default: %(default)s)"
    )
    options.add_argument(
        "--output", type=Path, default=PROJECT / "docs" / "images", help="default: docs/images"
    )
    given = options.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    try:
        for file in asyncio.run(take(given.url, given.output)):
            print(f"{file} ({file.stat().st_size // 1024} kB)")
    except DemoError as error:
        print(f"scripts/screenshots: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
