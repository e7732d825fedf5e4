"""The files of the blueprints: schema, address, inputs and defaults."""

from pathlib import Path

import pytest
from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint.importer import fetch_blueprint_from_url
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util.yaml import load_yaml_dict, parse_yaml
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import CONF_ALLOW_WRITES, DOMAIN
from enphase_companion.simulator import Simulator

from ..conftest import SetUp, make_entry
from ..texts import PROJECT
from .helpers import ADDRESS, FILES, inputs, metadata

#: Inputs for entities of any integration.
OF_ANY_INTEGRATION = {"load", "import_price", "export_price", "production", "storm", "memory"}


def test_the_blueprints_are_complete() -> None:
    assert [path.stem for path in FILES] == [
        "charge_cheap_export_dear",
        "meter_warning",
        "no_export_at_negative_price",
        "panel_behind",
        "storm_battery",
        "surplus_solar",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_home_assistant_accepts_the_blueprint(path: Path) -> None:
    blueprint = Blueprint(
        load_yaml_dict(str(path)),
        path=path.name,
        expected_domain="automation",
        schema=AUTOMATION_BLUEPRINT_SCHEMA,
    )
    assert blueprint.validate() is None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_blueprint_can_be_imported_from_its_source_url(
    hass: HomeAssistant, aioclient_mock: AiohttpClientMocker, path: Path
) -> None:
    described = metadata(path)
    assert described["source_url"] == f"{ADDRESS}/{path.relative_to(PROJECT)}"
    assert described["homeassistant"]["min_version"] == "2026.8.0"
    raw = described["source_url"].replace("github.com", "raw.githubusercontent.com").replace("/blob/", "/")
    aioclient_mock.get(raw, text=path.read_text())
    imported = await fetch_blueprint_from_url(hass, described["source_url"])
    assert imported.suggested_filename == f"enphase-iq-gateway/{path.stem}"
    # The copy that Home Assistant stores is the same blueprint.
    written = parse_yaml(imported.blueprint.yaml())
    assert isinstance(written, dict)
    kept = Blueprint(written, schema=AUTOMATION_BLUEPRINT_SCHEMA)
    assert kept.data == imported.blueprint.data


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_input_is_named_and_only_entities_have_no_default(path: Path) -> None:
    text = path.read_text()
    for name, described in inputs(path):
        [kind] = described["selector"]
        assert described["name"]
        assert text.count(f"!input {name}") >= 1
        assert "default" in described or kind == "entity"
        if kind == "number":
            settings = described["selector"]["number"]
            assert settings["min"] <= described["default"] <= settings["max"]
        if kind == "entity" and name not in OF_ANY_INTEGRATION:
            [offered] = described["selector"]["entity"]["filter"]
            assert offered["integration"] == DOMAIN


@pytest.mark.parametrize("profile", ["battery"])
async def test_the_entities_that_blueprints_offer_exist(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, options={CONF_ALLOW_WRITES: True}))
    registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    there = {
        (entity.domain, expected)
        for entity in registered
        for expected in (None, entity.original_device_class)
    }
    for path in FILES:
        for name, described in inputs(path):
            if "entity" in described["selector"] and name not in OF_ANY_INTEGRATION:
                [offered] = described["selector"]["entity"]["filter"]
                assert (offered["domain"], offered.get("device_class")) in there, (path.stem, name)
