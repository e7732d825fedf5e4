"""The modules of the dashboard: how Home Assistant serves and loads them."""

import re
from http import HTTPStatus
from typing import Any

import pytest
from homeassistant.components.frontend import DATA_EXTRA_MODULE_URL, UrlManager
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from custom_components.enphase_iq_gateway.const import DOMAIN

from .texts import FOLDER, LANGUAGES

MODULES = sorted((FOLDER / "frontend").glob("*.js"))


# Home Assistant's own keys of its web application.
@pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")
async def test_pages_load_the_module_from_a_folder_named_by_its_content(
    hass: HomeAssistant, hass_client: Any
) -> None:
    urls = hass.data[DATA_EXTRA_MODULE_URL] = UrlManager(lambda *_: None, [])
    hass.config.components.add("frontend")
    assert await async_setup_component(hass, "http", {})
    assert await async_setup_component(hass, DOMAIN, {})
    [url] = urls.urls
    assert re.fullmatch(rf"/{DOMAIN}/[0-9a-f]{{12}}/enphase-iq-gateway\.js", url)
    client = await hass_client()
    for module in MODULES:
        response = await client.get(f"{url.rpartition('/')[0]}/{module.name}")
        assert response.status == HTTPStatus.OK
        assert response.headers["Cache-Control"].endswith(f"max-age={31 * 86400}")
        assert await response.text() == module.read_text()


async def test_without_the_frontend_nothing_is_served(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    assert DATA_EXTRA_MODULE_URL not in hass.data


def test_modules_import_only_each_other_and_name_no_other_host() -> None:
    for module in MODULES:
        code = module.read_text()
        assert set(re.findall(r'(?:from|import) "([^"]+)"', code)) <= {f"./{each.name}" for each in MODULES}
        assert set(re.findall(r"https?://([^/]+)/", code)) <= {"github.com"}


def test_each_language_has_the_same_texts_with_the_same_placeholders() -> None:
    code = (FOLDER / "frontend" / "texts.js").read_text()
    languages = dict(re.findall(r"^  (\w\w): \{\n(.*?)^  \},$", code, re.DOTALL | re.MULTILINE))
    assert set(languages) == {"en", *LANGUAGES}
    found = {
        language: {
            key: sorted(re.findall(r"\{\w+\}", text))
            for key, text in re.findall(r'^    (\w+): "(.*)",$', texts, re.MULTILINE)
        }
        for language, texts in languages.items()
    }
    assert len(found["en"]) == languages["en"].count("\n")
    assert all(each == found["en"] for each in found.values())
