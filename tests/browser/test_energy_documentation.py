"""The table for the Energy dashboard in docs/dashboard.md, and the texts of the newest Home Assistant."""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from development.demo.flow import DOMAIN
from development.steps import PROJECT

PAGE = (PROJECT / "docs" / "dashboard.md").read_text()
FRONTEND = Path(import_module("hass_frontend").__path__[0])

#: The fields in the table, by section of the frontend's texts, in the order of its page. All dialogs share
#: the form for power.
FIELDS = {
    "grid": ["energy_from_grid", "energy_to_grid", "power"],
    "solar": ["solar_production_energy", "solar_production_power"],
    "home": ["home_energy", "home_power"],
    "battery": ["energy_out_of_battery", "energy_into_battery", "power", "state_of_charge"],
}


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield each row of the table: the section, the field and the sensor to choose."""
    [table] = re.findall(r"\n\| there \| field \| choose \|\n.*\n((?:\|.*\n)+)", PAGE)
    section = ""
    for line in table.splitlines():
        there, field, choose = (cell.strip() for cell in line.strip("|").split("|"))
        section = there or section
        yield section, field, choose.strip("*")


def english() -> dict[str, str]:
    """Return the frontend's English texts by their dotted keys."""
    [file] = (FRONTEND / "static" / "translations" / "config").glob("en-" + "[0-9a-f]" * 32 + ".json")
    return dict(json.loads(file.read_text()))


def test_the_table_has_the_fields_of_the_newest_home_assistant_in_order() -> None:
    texts = english()
    expected = []
    for section, fields in FIELDS.items():
        prefix = f"ui.panel.config.energy.{section}"
        for field in fields:
            name = texts[f"{prefix}.dialog.{field}"]
            if field == "power":
                # The sensors have the sign that the dashboard expects, so no inversion is needed.
                kind, standard = (texts[f"{prefix}.dialog.{key}"] for key in ("sensor_type", "type_standard"))
                name = f"{kind}: *{standard}*; {name}"
            expected.append((texts[f"{prefix}.title"], name))
    assert [(section, field) for section, field, _ in rows()] == expected
    programs = (file.read_text() for file in (FRONTEND / "frontend_latest").glob("*.js"))
    [page] = [each for each in programs if "<ha-energy-home-settings" in each]
    places = [page.index(f"<ha-energy-{section}-settings") for section in FIELDS]
    assert places == sorted(places)


def test_the_sensors_in_the_table_exist() -> None:
    texts = json.loads((PROJECT / "custom_components" / DOMAIN / "translations" / "en.json").read_text())
    names = {sensor["name"] for sensor in texts["entity"]["sensor"].values()}
    chosen = [choose for _, _, choose in rows()]
    assert len(set(chosen)) == len(chosen) == sum(map(len, FIELDS.values()))
    assert set(chosen) <= names
