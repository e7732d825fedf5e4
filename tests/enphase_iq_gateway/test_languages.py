"""The translations: complete, consistent with English, and with readable names of entities."""

import re

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.translation import async_get_translations

from custom_components.enphase_iq_gateway.const import DOMAIN
from custom_components.enphase_iq_gateway.helpers import async_get_words
from enphase_companion.simulator import Simulator

from .conftest import NOON, SetUp, Tick, make_entry
from .texts import LANGUAGES, PLACEHOLDER, PROJECT, TEXTS, leaves

ENGLISH = dict(leaves(TEXTS))

#: Texts that are never translated: users type them, or see them in another program.
LITERAL = re.compile(
    r"Home Assistant|Enphase Envoy|Enphase|Entrez|IQ Gateway|SHA-256|IPv4|JSON|GET|POST|PUT|DELETE|eyJ"
    r"|/[a-z]+(?:/[a-z]+)*|\d+(?:\.\d+)*|envoy\.local|entrez\.enphaseenergy\.com|`"
)

#: Texts that are the same word or name in another language.
SAME_WORD = {
    "Contact",
    "Manual",
    "{name}",
    "Enphase IQ Gateway",
    "Mode",
    "Reserve",
    "Firmware",
    "Gateway",
    "Generator",
    "IQ Combiner {serial}",
    "IQ Meter Collar {serial}",
    "Interval",
    "Normal",
    "Open",
    "Options",
    "Production",
    "Site",
    "Solar",
    "Status",
    "System Controller {serial}",
    "Token",
    "Type",
}

#: Names of entities of gateways with three phases and with a battery.
NAMES = {
    "de": {
        "Netzbezug",
        "Netz: Wirkleistung L1",
        "Batterie: Zählerstatus",
        "Zuhause-Leistung",
        "Batteriestand",
    },
    "es": {
        "Energía importada de la red",
        "Red: potencia activa L1",
        "Batería: estado del contador",
        "Potencia del hogar",
        "Nivel de la batería",
    },
    "fr": {
        "Énergie importée du réseau",
        "Réseau\u00a0: puissance active L1",
        "Batterie\u00a0: état du compteur",
        "Puissance de la maison",
        "Niveau de la batterie",
    },
    "nl": {
        "Van het net geïmporteerde energie",
        "Net: actief vermogen L1",
        "Batterij: meterstatus",
        "Thuisvermogen",
        "Batterijniveau",
    },
}

#: Names of the devices behind such a gateway, without their serial numbers.
DEVICES = {
    "de": {"Wechselrichter", "IQ-Batterie", "Potenzialfreier Kontakt"},
    "en": {"Inverter", "IQ Battery", "Dry contact"},
    "es": {"Inversor", "Batería IQ", "Contacto seco"},
    "fr": {"Onduleur", "Batterie IQ", "Contact sec"},
    "nl": {"Omvormer", "IQ-batterij", "Potentiaalvrij contact"},
}

in_each_language = pytest.mark.parametrize("language", LANGUAGES)


def both(language: str) -> list[tuple[str, str, str]]:
    """Return every text in English and in this language, with the keys that lead to it."""
    translated = dict(leaves(LANGUAGES[language]))
    return [(".".join(path), text, translated[path]) for path, text in ENGLISH.items()]


def test_there_are_four_translations_besides_english() -> None:
    assert set(LANGUAGES) == {"de", "es", "fr", "nl"} == set(NAMES)


@in_each_language
def test_a_translation_has_the_same_keys_as_english(language: str) -> None:
    assert [path for path, _ in leaves(LANGUAGES[language])] == list(ENGLISH)


@in_each_language
def test_a_text_has_the_same_placeholders_and_links_in_every_language(language: str) -> None:
    for path, english, text in both(language):
        assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(english)), path
        # All four languages write the decimals of a frequency with a comma.
        literals = LITERAL.findall(re.sub(r"(\d),(\d+ GHz)", r"\1.\2", text))
        assert set(literals) >= set(LITERAL.findall(english)), path
        assert [line[:2] == "- " for line in text.splitlines()] == [
            line[:2] == "- " for line in english.splitlines()
        ], path


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_no_text_has_a_placeholder_for_an_error_text_of_the_client(language: str) -> None:
    texts = TEXTS if language == "en" else LANGUAGES[language]
    named = {name for _, text in leaves(texts["exceptions"]) for name in PLACEHOLDER.findall(text)}
    # Names, numbers and addresses.
    levels = {"high", "low", "reserve", "shutdown_level"}
    assert named == levels | {
        "found",
        "firmware",
        "host",
        "limit",
        "method",
        "name",
        "path",
        "status",
        "wanted",
    }


@in_each_language
def test_no_text_is_left_in_english(language: str) -> None:
    left = {text for _, english, text in both(language) if text == english}
    assert left <= SAME_WORD


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_texts_have_no_markup_addresses_or_stray_braces(language: str) -> None:
    for path, text in leaves(TEXTS if language == "en" else LANGUAGES[language]):
        assert text, path
        assert text == text.strip(), path
        assert not re.search(r"<|https?://|\[%key:", text), path
        # In ICU messages, an apostrophe beside a brace begins a quotation.
        assert not re.search(r"'[{}]", text), path
        assert not re.search(r"[{}]", PLACEHOLDER.sub("", text)), path


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_warnings_use_the_translated_name_of_the_action(language: str) -> None:
    texts = TEXTS if language == "en" else LANGUAGES[language]
    warning = texts["options"]["step"]["init"]["data_description"]["allow_writes"]
    assert f" {texts['services']['call_api']['name']} " in warning


def test_french_has_a_no_break_space_before_a_colon() -> None:
    for path, text in leaves(LANGUAGES["fr"]):
        assert not re.search(r"[^\u00a0][:;?!](\s|$)", text), path


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        ("reset", "cannot_connect"),
        ("html", "invalid_response"),
        ("truncated", "invalid_response"),
        ("status", "http_error"),
        ("refuse", "forbidden"),
    ],
)
async def test_the_reason_for_an_outage_is_translated(
    simulator: Simulator, set_up: SetUp, tick: Tick, fault: str, key: str
) -> None:
    entry = await set_up(make_entry(simulator))
    simulator.faults.set(fault, "/ivp/meters/readings")
    await tick()
    error = entry.runtime_data.last_exception
    assert error is not None
    assert error.translation_key == key
    message = LANGUAGES["de"]["exceptions"][key]["message"].format(**error.translation_placeholders)
    assert not re.search(r"\b(the|gateway answered|did not|with this token)\b", message)
    assert entry.title in message
    assert key == "cannot_connect" or "/ivp/meters/readings" in message


@in_each_language
async def test_home_assistant_loads_a_translation(
    hass: HomeAssistant, language: str, caplog: pytest.LogCaptureFixture
) -> None:
    for category, texts in LANGUAGES[language].items():
        read = await async_get_translations(hass, language, category, {DOMAIN})
        prefix = f"component.{DOMAIN}.{category}"
        assert read == {".".join((prefix, *path)): text for path, text in leaves(texts)}, category
    assert "placeholders" not in caplog.text


@in_each_language
async def test_entity_names_are_translated(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, language: str
) -> None:
    hass.config.language = language
    names: set[str] = set()
    for seed, profile in enumerate(["three-phase", "battery"], 2):
        with Simulator(profile, seed=seed, start=NOON, longitude=0) as other:
            entry = await set_up(make_entry(other))
            registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
            names |= {entity.original_name for entity in registered if entity.original_name}
            await hass.config_entries.async_unload(entry.entry_id)
    assert names >= NAMES[language]
    # Names begin with a capital letter; only the name of a meter may precede a colon.
    meters = set((await async_get_words(hass, "meter")).values())
    for name in names:
        assert "{" not in name
        assert name[0].isupper()
        meter, colon, _ = name.partition(":")
        assert not colon or meter.strip() in meters, name


@pytest.mark.parametrize("profile", ["battery"])
@pytest.mark.parametrize("language", DEVICES)
async def test_device_names_are_translated(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, language: str
) -> None:
    hass.config.language = language
    entry = await set_up(make_entry(simulator))
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    units = [device for device in devices if device.id != entry.runtime_data.device_id]
    # Three batteries, the System Controller and its four dry contacts.
    assert len(units) == len(simulator.house.inverters) + 8
    names = {re.sub(r" (\d+|N[CO]\d)$", "", str(device.name)) for device in units}
    names.discard("System Controller")
    assert names == DEVICES[language]
    assert language == "en" or not names & DEVICES["en"]


@pytest.mark.parametrize("profile", ["three-phase"])
async def test_the_documentation_explains_entity_ids_in_other_languages(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    text = (PROJECT / "docs" / "automations.md").read_text()
    [paragraph] = [each for each in text.split("\n\n") if each.startswith("**Entity ids depend on")]
    hass.config.language = "de"
    entry = await set_up(make_entry(simulator))
    registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    # The serial number of the documentation is one of another house.
    ids = {each.entity_id for each in registered}
    german = {re.sub(r"wechselrichter_\d+", "wechselrichter_122300000101", each) for each in ids}
    assert set(re.findall(r"sensor\.\w*(?:netzleistung|wechselrichter\w*)", paragraph)) <= german
    assert len(re.findall(r"`sensor\.", paragraph)) == 4
