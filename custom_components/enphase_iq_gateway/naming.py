"""Words in the language of this Home Assistant, for what stands in the placeholders of translated texts.

Home Assistant translates an entity's name, but not its placeholders: one text for each quantity, instead of
one for each quantity of each type of meter, needs the types' words from here.
"""

import re
from collections.abc import Mapping

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN
from .enphase_api.models import Meter

_CATEGORY = "selector"


async def async_words(hass: HomeAssistant, kind: str) -> dict[str, str]:
    """Return the words of a kind: "meter" (by type), "phases" (by number), or "metering" ("yes" and "no")."""
    texts = await async_get_translations(hass, hass.config.language, _CATEGORY, {DOMAIN})
    prefix = f"component.{DOMAIN}.{_CATEGORY}.{kind}.options."
    return {key.removeprefix(prefix): text for key, text in texts.items() if key.startswith(prefix)}


def meter_name(names: Mapping[str, str], meters: tuple[Meter, ...], meter: Meter) -> str:
    """Return what a meter among `meters` is called; firmware's own words where its type is not known."""
    kind = meter.measurement_type
    # Letters and digits alone: dialogs render Markdown.
    name = names.get(kind) or " ".join(re.findall(r"[^\W_]+", kind)).capitalize() or str(meter.eid)
    same = [other.eid for other in meters if other.measurement_type == kind]
    number = same.index(meter.eid) + 1
    return name if number == 1 else f"{name} {number}"


def log_name(entry: ConfigEntry) -> str:
    """Return what an entry is called in the log: by the last four digits of its serial number.

    Logs are shown to others, and a serial number is what a stranger needs to claim to be the gateway.
    """
    serial_number = str(entry.unique_id)
    return entry.title.replace(serial_number, f"…{serial_number[-4:]}")


def gateway_title(serial_number: str) -> str:
    """Return what an entry is called until its owner gives it another name."""
    return f"IQ Gateway {serial_number}"
