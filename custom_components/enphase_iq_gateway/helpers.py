"""Translated words for placeholders, names for the log, and untrusted texts and certificates in dialogs."""

import re
from collections.abc import Mapping

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN
from .enphase_api.json_values import printable
from .enphase_api.local import Certificate
from .enphase_api.models import Command, Meter, Value

_CATEGORY = "selector"

#: Characters; no host name is longer.
_MAX_LENGTH = 255


async def async_get_words(hass: HomeAssistant, kind: str) -> dict[str, str]:
    """Return the translated words of a kind: "meter" (by type), "phases" (by number) or "metering" (yes, no).

    Home Assistant translates the names of entities, but not their placeholders. With these words, each
    quantity needs one translation instead of one for each type of meter.
    """
    texts = await async_get_translations(hass, hass.config.language, _CATEGORY, {DOMAIN})
    prefix = f"component.{DOMAIN}.{_CATEGORY}.{kind}.options."
    return {key.removeprefix(prefix): text for key, text in texts.items() if key.startswith(prefix)}


def meter_name(names: Mapping[str, str], meters: tuple[Meter, ...], meter: Meter) -> str:
    """Return the name of a meter among `meters`; an unknown type is named as the firmware names it."""
    kind = meter.measurement_type
    # Letters and digits only: dialogs render Markdown.
    name = names.get(kind) or " ".join(re.findall(r"[^\W_]+", kind)).capitalize() or str(meter.eid)
    same_type = [other.eid for other in meters if other.measurement_type == kind]
    number = same_type.index(meter.eid) + 1
    return name if number == 1 else f"{name} {number}"


#: The platform and the translation key of the entity that shows a value of a command.
COMMAND_ENTITIES: dict[tuple[Command, str], tuple[str, str]] = {
    (Command.STORAGE, "mode"): ("select", "battery_mode"),
    (Command.STORAGE, "reserve"): ("number", "battery_reserve"),
    (Command.STORAGE, "shutdown_level"): ("number", "battery_shutdown_level"),
    (Command.STORAGE, "charge_from_grid"): ("switch", "charge_from_grid"),
    (Command.GRID_CONNECTION, "connected"): ("switch", "grid_connection"),
    (Command.DRY_CONTACT, "closed"): ("switch", "dry_contact"),
    (Command.DRY_CONTACT_SETTINGS, "mode"): ("select", "dry_contact_mode"),
    (Command.DRY_CONTACT_SETTINGS, "grid_action"): ("select", "dry_contact_grid_action"),
    (Command.DRY_CONTACT_SETTINGS, "micro_grid_action"): ("select", "dry_contact_micro_grid_action"),
    (Command.DRY_CONTACT_SETTINGS, "gen_action"): ("select", "dry_contact_generator_action"),
    (Command.DRY_CONTACT_SETTINGS, "soc_low"): ("number", "dry_contact_low_level"),
    (Command.DRY_CONTACT_SETTINGS, "soc_high"): ("number", "dry_contact_high_level"),
    (Command.GENERATOR, "mode"): ("select", "generator_mode"),
    (Command.GENERATOR_CHARGING, "allowed"): ("switch", "generator_charging"),
    (Command.AC_BATTERY_SLEEP, "sleep"): ("switch", "ac_battery_sleep"),
    (Command.PRODUCTION, "on"): ("switch", "production"),
}


async def async_describe_values(hass: HomeAssistant, command: Command, values: Mapping[str, Value]) -> str:
    """Return values of a command for the user, such as "Battery reserve: 30 %, Battery mode: Savings"."""
    language = hass.config.language
    texts = await async_get_translations(hass, language, "entity", {DOMAIN})
    states = await async_get_translations(hass, language, "entity_component", {"switch"})
    described = []
    for name, value in values.items():
        platform, key = COMMAND_ENTITIES[command, name]
        prefix = f"component.{DOMAIN}.entity.{platform}.{key}"
        if isinstance(value, bool):
            shown = states.get(
                f"component.switch.entity_component._.state.{'on' if value else 'off'}", str(value)
            )
        elif isinstance(value, int | float):
            shown = f"{value:g}\N{NO-BREAK SPACE}%"
        else:
            shown = (
                "?" if value is None else texts.get(f"{prefix}.state.{value}", printable(value, _MAX_LENGTH))
            )
        described.append(f"{texts.get(f'{prefix}.name', name)}: {shown}")
    return ", ".join(described)


def log_name(entry: ConfigEntry) -> str:
    """Return an entry's title for the log, with only the last four digits of the serial number.

    Users post logs, and a stranger could use the serial number to impersonate the gateway.
    """
    serial_number = str(entry.unique_id)
    return entry.title.replace(serial_number, f"…{serial_number[-4:]}")


def default_title(serial_number: str) -> str:
    """Return the title of an entry that the user has not renamed."""
    return f"IQ Gateway {serial_number}"


def format_fingerprint(fingerprint: str) -> str:
    """Return a fingerprint in four groups of eight bytes, so that lines break between bytes."""
    return " ".join(fingerprint[start : start + 24].rstrip(":") for start in range(0, len(fingerprint), 24))


def escape_code(text: str) -> str:
    """Return an untrusted text for a code span in Markdown, which it cannot close."""
    return printable(text, _MAX_LENGTH).replace("`", "'") or "-"


def certificate_placeholders(trusted: Certificate, shown: Certificate) -> dict[str, str]:
    """Return the placeholders of the question whether to trust another certificate."""
    return {
        "trusted": format_fingerprint(trusted.fingerprint),
        "shown": format_fingerprint(shown.fingerprint),
        "not_before": str(shown.not_before.date()),
        "not_after": str(shown.not_after.date()),
    }
