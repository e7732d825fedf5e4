"""Texts, icons and manifest match the code and the rules of Home Assistant."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import homeassistant
import pytest
from homeassistant.const import CONF_TOKEN, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.icon import async_get_icons
from homeassistant.helpers.translation import async_get_translations
from homeassistant.loader import async_get_integration
from homeassistant.util.yaml import load_yaml_dict
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.commands import CLOUD_COMMAND_ERRORS, COMMAND_ERRORS
from custom_components.enphase_iq_gateway.const import (
    CONF_ALLOW_WRITES,
    CONF_PRODUCTION_SOURCE,
    DOMAIN,
    PLATFORMS,
)
from custom_components.enphase_iq_gateway.enphase_api import CommandReason
from custom_components.enphase_iq_gateway.error_handling import (
    CLOUD_ERRORS,
    ENTREZ_ERRORS,
    GATEWAY_ERRORS,
    SILENCE_ERRORS,
    TOKEN_ERRORS,
    UPDATE_ERRORS,
)
from custom_components.enphase_iq_gateway.issues import (
    COMMAND_IGNORED,
    COMMAND_ISSUES,
    COMMAND_NEEDS_CLOUD,
    COMMAND_OUTCOMES,
)
from custom_components.enphase_iq_gateway.services import CALL_ERRORS
from custom_components.enphase_iq_gateway.units import UnitKind
from enphase_companion.simulator import Simulator

from .conftest import NOON, SetUp, make_entry
from .texts import FOLDER, PLACEHOLDER, PROJECT, TEXTS, leaves

ICONS: dict[str, Any] = json.loads((FOLDER / "icons.json").read_text())
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text())
CODE = [ast.parse(path.read_text()) for path in sorted(FOLDER.glob("*.py"))]

#: Common texts of Home Assistant, which 2026.8 expects here.
OF_HOME_ASSISTANT = {"already_in_progress", "reauth_successful", "reconfigure_successful"}


#: Together, these houses have each entity.
PROFILES = [
    "no-meters",
    "three-phase",
    "battery",
    "many-meters",
    "single-phase",
    "generator",
    "ac-batteries",
    "meter-collar",
]


def calls() -> Iterator[ast.Call]:
    """Yield all calls in the code of the integration."""
    for module in CODE:
        yield from (node for node in ast.walk(module) if isinstance(node, ast.Call))


def keyword_arguments(keyword: str) -> set[str]:
    """Return the constants that calls pass as this keyword argument."""
    return {
        value.value
        for call in calls()
        for argument in call.keywords
        if argument.arg == keyword
        for value in ast.walk(argument.value)
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def first_arguments(*functions: str) -> set[str]:
    """Return the first constant argument of each call of these functions or methods."""
    return {
        str(call.args[0].value)
        for call in calls()
        if (call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", None))
        in functions
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


def base_errors() -> set[str]:
    """Return the constants that are set as the error of a form."""
    return {
        str(node.value.value)
        for module in CODE
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Subscript)
        and isinstance(node.targets[0].slice, ast.Constant)
        and node.targets[0].slice.value == "base"
        and isinstance(node.value, ast.Constant)
    }


def test_steps_and_their_texts_match() -> None:
    steps = keyword_arguments("step_id") | first_arguments("_show_sign_in_form", "_show_host_form")
    in_texts = {*TEXTS["config"]["step"], *TEXTS["options"]["step"]}
    in_texts |= {
        step for issue in TEXTS["issues"].values() for step in issue.get("fix_flow", {}).get("step", {})
    }
    assert steps == in_texts


def test_errors_and_their_texts_match() -> None:
    errors = {
        *GATEWAY_ERRORS.values(),
        *ENTREZ_ERRORS.values(),
        *TOKEN_ERRORS.values(),
        *SILENCE_ERRORS.values(),
    } | base_errors()
    assert errors == set(TEXTS["config"]["error"])


def test_errors_of_the_options_and_their_texts_match() -> None:
    assert set(TEXTS["options"]["error"]) == {"interval_out_of_range", *CLOUD_ERRORS.values()}
    of_repair = set(TEXTS["issues"][COMMAND_NEEDS_CLOUD]["fix_flow"]["error"])
    assert of_repair == set(CLOUD_ERRORS.values())


def test_issues_and_their_texts_match() -> None:
    of_commands = {*COMMAND_ISSUES.values(), *COMMAND_OUTCOMES.values(), COMMAND_IGNORED}
    of_others = {
        "certificate_changed",
        "energy_dashboard_incomplete",
        "home_energy_decreasing",
        "live_values_not_allowed",
        "serial_number_conflict",
    }
    assert of_commands | of_others == set(TEXTS["issues"])


def test_abort_reasons_and_their_texts_match() -> None:
    # Errors of a discovered gateway abort the flow, as there is no form to return to.
    by_discovery = {*GATEWAY_ERRORS.values()} - {"token_rejected"}
    of_repair = set(TEXTS["issues"]["certificate_changed"]["fix_flow"]["abort"])
    reasons = (
        (keyword_arguments("reason") - {"base"}) | {"already_configured"} | by_discovery | OF_HOME_ASSISTANT
    )
    reasons |= first_arguments("AbortFlow")
    assert reasons == set(TEXTS["config"]["abort"]) | of_repair


def test_exceptions_and_their_texts_match() -> None:
    raised = {
        keyword.value.value
        for call in calls()
        if isinstance(call.func, ast.Name)
        and call.func.id.startswith(
            ("ConfigEntry", "HomeAssistantError", "ServiceValidation", "UpdateFailed")
        )
        for keyword in call.keywords
        if keyword.arg == "translation_key" and isinstance(keyword.value, ast.Constant)
    }
    raised |= first_arguments("_update_failed", "_validation_error")
    for errors in (CALL_ERRORS, COMMAND_ERRORS, CLOUD_COMMAND_ERRORS, UPDATE_ERRORS):
        raised |= set(errors.values())
    raised |= {f"command_{reason}" for reason in CommandReason}
    assert raised == set(TEXTS["exceptions"])


def add_second_meters(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """List each meter twice; the second one is not part of the site."""
    answers = simulator.gateway._answers
    get = answers.get

    def doubled(path: str, query: str) -> Any:
        answer = get(path, query)
        if path not in ("/ivp/meters", "/ivp/meters/readings"):
            return answer
        return [*answer, *(entry | {"eid": entry["eid"] + 1} for entry in answer)]

    monkeypatch.setattr(answers, "get", doubled)


def test_devices_and_their_names_match() -> None:
    assert set(UnitKind) == set(TEXTS["device"])
    placeholders = {kind: tuple(PLACEHOLDER.findall(each["name"])) for kind, each in TEXTS["device"].items()}
    assert placeholders.pop("dry_contact") == ("contact",)
    assert placeholders.pop("generator") == ()
    assert set(placeholders.values()) == {("serial",)}


async def test_entities_and_their_names_match(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, set[str]] = {platform: set() for platform in PLATFORMS}
    # The settings of dry contacts are sensors only where they cannot be changed.
    cases = [*((profile, True) for profile in PROFILES), ("battery", False)]
    for seed, (profile, allows_changes) in enumerate(cases, 2):
        with Simulator(profile, seed=seed, start=NOON, longitude=0) as other:
            # If production is read from the inverters, a production meter has sensors of power and energy.
            beside = {CONF_PRODUCTION_SOURCE: "inverters"} if profile == "single-phase" else {}
            if profile == "battery":
                add_second_meters(other, monkeypatch)
            beside |= {CONF_TOKEN: other.token("installer")}
            entry = await set_up(make_entry(other, beside, {CONF_ALLOW_WRITES: allows_changes}))
            for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
                if entity.translation_key is None:
                    # The main sensor of a unit has the name of its device.
                    assert entity.unique_id.endswith("_power")
                    continue
                assert entity.original_name
                assert "{" not in entity.original_name
                seen[entity.domain].add(entity.translation_key)
            await hass.config_entries.async_unload(entry.entry_id)
    assert seen == {domain: set(names) for domain, names in TEXTS["entity"].items()}


def test_names_of_a_meter_and_of_its_phases_match() -> None:
    for domain, entities in TEXTS["entity"].items():
        for key, entity in entities.items():
            expected = {"meter"} if key.startswith("meter_") else set()
            expected |= {"phase"} if key.endswith("_phase") else set()
            assert set(PLACEHOLDER.findall(entity["name"])) == expected, (domain, key)


def test_every_form_field_has_a_description() -> None:
    forms = [*TEXTS["config"]["step"].values(), *TEXTS["options"]["step"].values()]
    forms += TEXTS["issues"][COMMAND_NEEDS_CLOUD]["fix_flow"]["step"].values()
    assert sum("data" in form for form in forms) == 9
    for form in forms:
        assert set(form.get("data", {})) == set(form.get("data_description", {}))


@pytest.mark.parametrize(("path", "text"), leaves(TEXTS), ids=lambda value: ".".join(value)[:80])
def test_texts_follow_the_rules_of_home_assistant(path: tuple[str, ...], text: str) -> None:
    assert text
    assert text == text.strip()
    assert not re.search(r"<[a-z/]", text), "no HTML"
    assert not re.search(r"https?://", text), "an address belongs in a placeholder"
    assert "[%key:" not in text
    assert not re.search(r"'\{\w+\}'", text), "no placeholder in single quotes"
    for key in path:
        assert re.fullmatch(r"[a-z0-9]+([-_][a-z0-9]+)*", key)
    if "state" in path:
        assert not PLACEHOLDER.search(text)


def test_every_icon_exists_and_belongs_to_an_entity() -> None:
    for domain, entities in ICONS["entity"].items():
        assert set(entities) <= set(TEXTS["entity"][domain])
        for icons in entities.values():
            assert set(icons) <= {"default", "state"}
            states = icons.get("state", {}).values()
            assert all(icon.startswith("mdi:") and icon != icons["default"] for icon in states)
            assert icons["default"].startswith("mdi:")


async def test_home_assistant_loads_texts_and_icons(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    for category in ("config", "options", "device", "entity", "exceptions", "issues", "selector", "title"):
        assert await async_get_translations(hass, "en", category, {DOMAIN}), category
    icons = await async_get_icons(hass, "entity", [DOMAIN])
    assert icons[DOMAIN] == ICONS["entity"]


async def test_home_assistant_loads_the_manifest(hass: HomeAssistant) -> None:
    integration = await async_get_integration(hass, DOMAIN)
    assert str(integration.version) == MANIFEST["version"]
    assert not integration.is_built_in
    assert integration.iot_class == "local_polling"
    assert integration.has_branding


def test_the_manifest_is_complete_and_in_order() -> None:
    assert list(MANIFEST)[:2] == ["domain", "name"]
    assert list(MANIFEST)[2:] == sorted(MANIFEST)[:0] + sorted(set(MANIFEST) - {"domain", "name"})
    assert set(MANIFEST) == {
        "domain",
        "name",
        "after_dependencies",
        "codeowners",
        "config_flow",
        "documentation",
        "integration_type",
        "iot_class",
        "issue_tracker",
        "loggers",
        "requirements",
        "version",
        "zeroconf",
    }
    assert MANIFEST["domain"] == FOLDER.name
    assert re.fullmatch(r"\d+\.\d+\.\d+", MANIFEST["version"])
    for key in ("documentation", "issue_tracker"):
        assert MANIFEST[key].startswith("https://github.com/enphase-iq-gateway/enphase-iq-gateway")
    assert MANIFEST["zeroconf"] == [{"type": "_enphase-envoy._tcp.local."}]
    assert MANIFEST["requirements"] == []


def test_the_files_for_hacs_exist() -> None:
    hacs = json.loads((PROJECT / "hacs.json").read_text())
    assert set(hacs) == {"name", "homeassistant", "filename", "zip_release"}
    assert hacs["name"] == MANIFEST["name"] == TEXTS["title"]
    assert (FOLDER / "brand" / "icon.png").is_file()
    assert [path.name for path in FOLDER.parent.iterdir() if path.is_dir() and path.name[0] not in "._"] == [
        DOMAIN
    ]


def test_the_quality_scale_covers_every_rule() -> None:
    rules = load_yaml_dict(str(FOLDER / "quality_scale.yaml"))["rules"]
    core = Path(homeassistant.__file__).parent / "components" / "enphase_envoy" / "quality_scale.yaml"
    known = set(load_yaml_dict(str(core))["rules"])
    assert known <= set(rules)
    for rule in rules.values():
        status = rule if isinstance(rule, str) else rule["status"]
        assert status in ("done", "todo", "exempt")
        assert status != "exempt" or rule["comment"]


def test_only_platforms_are_named_as_platforms() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} & set(Platform) == set(PLATFORMS)
