"""Fixtures: one Home Assistant and one browser for all tests, and the artefacts of a failed test."""

import shutil
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.frontend import Frontend, chromium, open_page
from tests.browser.home import Home, running_home

#: Screenshots of each step, and of a failed test also the end of Home Assistant's log.
OUTPUT = Path(__file__).with_name("output")
_LAST_LINES = 100
_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Store whether the test failed, for the fixtures."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    """Yield a simulated gateway, and a Home Assistant without an entry for it."""
    async with running_home(tmp_path_factory.mktemp("browser") / "home") as home:
        yield home


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    """Yield the Chromium of this system."""
    program = shutil.which("chromium")
    assert program
    async with async_playwright() as playwright:
        browser = await chromium(playwright, program)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def signed_in(home: Home, browser: Browser) -> AsyncIterator[Frontend]:
    """Yield a browser page in which the owner is signed in."""
    async with open_page(browser, home.process.url, OUTPUT) as frontend:
        try:
            await frontend.sign_in()
        except Exception:
            await frontend.picture("failed-sign-in")
            raise
        yield frontend


@pytest_asyncio.fixture(loop_scope="package")
async def frontend(
    request: pytest.FixtureRequest, home: Home, signed_in: Frontend
) -> AsyncIterator[Frontend]:
    """Yield the frontend; if the test fails, save a screenshot and the end of Home Assistant's log."""
    picture, log = (OUTPUT / f"failed-{request.node.name}.{ending}" for ending in ("png", "log"))
    for outdated in (picture, log):
        outdated.unlink(missing_ok=True)
    yield signed_in
    if request.node.stash[_FAILED]:
        last = home.process.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        log.write_text("\n".join(last))
        await signed_in.picture(picture.stem)


@pytest_asyncio.fixture(loop_scope="package")
async def without_gateway(home: Home) -> None:
    """Remove the gateway from Home Assistant."""
    await home.remove_gateway()


@pytest_asyncio.fixture(loop_scope="package")
async def with_gateway(home: Home) -> None:
    """Add the gateway to Home Assistant, which polls it every second."""
    await home.add_gateway()
