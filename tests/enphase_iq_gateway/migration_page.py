"""The tables of docs/migration.md, and the built-in enphase_envoy beside this integration."""

import re
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from homeassistant.components.sensor import DOMAIN as SENSOR
from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from enphase_companion.simulator import Simulator

from .texts import PROJECT

PAGE = PROJECT / "docs" / "migration.md"

#: The headings of the page, by the names of the built-in integration's devices.
HEADINGS = {
    "Inverter": "Each microinverter",
    "Encharge": "Each IQ Battery",
    "Enpower": "System Controller",
    "Envoy": "The site",
}


class Named(NamedTuple):
    """An entity by what the page calls its device, its platform and its name, all in lower case."""

    device: str
    platform: str
    name: str


class Row(NamedTuple):
    """A row of the page, of one entity of the built-in integration."""

    built_in: Named
    ours: str  #: with its device and platform
    unit: str
    verdict: str
    is_of_each_meter: bool = False

    @property
    def is_same(self) -> bool:
        """Whether statistics continue."""
        return self.verdict.partition(":")[0] == "same"


def cells(section: str) -> Iterator[list[str]]:
    """Yield the cells of each row below the heads of a section's tables."""
    lines = section.splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        is_row = line.startswith("|") and not line.startswith("|---")
        if is_row and before.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def sections() -> dict[str, str]:
    """Return the texts below the headings of the entities, by heading."""
    text = PAGE.read_text().partition("## Every entity")[2].partition("\n## ")[0]
    heads = re.split(r"^### (.+)$", text, flags=re.MULTILINE)
    return dict(zip(heads[1::2], heads[2::2], strict=True))


def meters() -> dict[str, str]:
    """Return our names of the meters by those of the built-in integration."""
    return {row[0]: row[1] for row in cells(sections()["Each meter"]) if len(row) == 2}


def named(text: str, heading: str) -> Named:
    """Return what a text of a cell names: "Device: Name (platform)"."""
    name, _, platform = text.removesuffix(")").partition(" (")
    device, _, name = name.rpartition(": ")
    return Named((device or heading).lower(), platform.replace(" ", "_") or SENSOR, name.lower())


def rows() -> Iterator[Row]:
    """Yield a row for each entity of the built-in integration, for each meter, and its first phase."""
    for heading, section in sections().items():
        for built_in, ours, unit, verdict in (row for row in cells(section) if len(row) == 4):
            for each in built_in.split("; "):
                if "*meter*" in each:
                    yield from meter_rows(each, ours, unit, verdict)
                else:
                    yield Row(named(each, heading), ours, unit, verdict)


def meter_rows(built_in: str, ours: str, unit: str, verdict: str) -> Iterator[Row]:
    """Yield a row for each meter and its first phase; status and flags are of the whole meter here."""
    has_phases = "status" not in ours and not ours.endswith(")")
    for (theirs, here), (heading, phase) in product(
        meters().items(), (("The site", ""), ("Each phase", " l1"))
    ):
        name = ours.replace("*Meter*", here) + (phase.upper() if has_phases else "")
        yield Row(
            named(built_in.replace("*meter*", theirs) + phase, heading),
            name,
            unit,
            verdict,
            is_of_each_meter=True,
        )


def table() -> dict[Named, Row]:
    """Return the rows by what they name; one of its own replaces one of each meter."""
    return {row.built_in: row for row in sorted(rows(), key=lambda row: not row.is_of_each_meter)}


class Found(NamedTuple):
    """A sensor of a running Home Assistant."""

    serial_number: str
    device: str  #: its name without serial number
    name: str
    entity_id: str

    @property
    def phase(self) -> str:
        """The number of its phase by the built-in integration; empty for a whole meter."""
        found = re.search(r" l([1-3])$", self.name)
        return found[1] if found else ""

    def row(self, page: dict[Named, Row]) -> Row:
        """Return the page's row of this sensor of the built-in integration."""
        heading = "Each phase" if self.phase else HEADINGS.get(self.device, self.device)
        name = f"{self.name[:-1]}1" if self.phase else self.name
        return page[Named(heading.lower(), SENSOR, name.lower())]

    def our_name(self, row: Row) -> str:
        """Return the name of our sensor that the row names for it."""
        name = row.ours.rpartition(": ")[2]
        return f"{name[:-1]}{self.phase}" if self.phase else name


def sensors(hass: HomeAssistant, entry: MockConfigEntry) -> Iterator[Found]:
    """Yield the sensors of an entry, disabled ones included."""
    devices = dr.async_get(hass)
    for each in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        device = devices.async_get(each.device_id) if each.device_id else None
        if device is not None and each.domain == SENSOR:
            ((_, serial_number, *_),) = device.identifiers
            name = (device.name or "").partition(serial_number)[0].strip()
            yield Found(serial_number, name, each.original_name or name, each.entity_id)


def make_built_in_entry(simulator: Simulator) -> MockConfigEntry:
    """Return an entry of the built-in integration, not yet added."""
    return MockConfigEntry(
        domain="enphase_envoy",
        title=f"Envoy {simulator.serial_number}",
        unique_id=simulator.serial_number,
        data={
            CONF_HOST: simulator.url.removeprefix("https://"),
            CONF_NAME: f"Envoy {simulator.serial_number}",
            CONF_USERNAME: simulator.username,
            CONF_PASSWORD: simulator.password,
            CONF_TOKEN: simulator.token(),
        },
    )
