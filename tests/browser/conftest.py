"""One Home Assistant and one browser for all of these tests, and what is left of a test that fails."""

import shutil
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.frontend import Frontend, chromium, tab
from tests.browser.home import Home, inhabited

#: A picture of each step; of a test that failed, what the browser showed and the end of Home Assistant's log.
OUTPUT = Path(__file__).with_name("output")
_LAST_LINES = 100
_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note a failure, for what comes after the test."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    """Yield a simulated gateway, and a Home Assistant that knows nothing of it."""
    async with inhabited(tmp_path_factory.mktemp("browser") / "home") as home:
        yield home


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    """Yield the system's Chromium."""
    program = shutil.which("chromium")
    assert program
    async with async_playwright() as playwright:
        browser = await chromium(playwright, program)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def signed_in(home: Home, browser: Browser) -> AsyncIterator[Frontend]:
    """Yield the one page of a browser that the owner has signed in with."""
    async with tab(browser, home.process.url, OUTPUT) as frontend:
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
    """Yield what the owner sees; of a failed test, that and Home Assistant's last words are left behind."""
    picture, log = (OUTPUT / f"failed-{request.node.name}.{ending}" for ending in ("png", "log"))
    for left in (picture, log):
        left.unlink(missing_ok=True)
    yield signed_in
    if request.node.stash[_FAILED]:
        last = home.process.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        log.write_text("\n".join(last))
        await signed_in.picture(picture.stem)


@pytest_asyncio.fixture(loop_scope="package")
async def without_gateway(home: Home) -> None:
    """Home Assistant does not know the gateway."""
    await home.be_without_gateway()


@pytest_asyncio.fixture(loop_scope="package")
async def with_gateway(home: Home) -> None:
    """Home Assistant reads the gateway, every second."""
    await home.be_with_gateway()
