"""The file tariff.json: what is in it, and errors that name a key."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from enphase_companion.config.tariff_file import read_tariff
from enphase_companion.runtime.errors import SettingsError
from tests.recordings import find_recording

EXAMPLE = Path(__file__).parents[3] / "configuration" / "tariff.json.example"


@pytest.mark.parametrize(
    ("at", "price"),
    [
        ((2026, 7, 1, 12), 0.32),
        ((2026, 7, 1, 23), 0.24),
        ((2026, 7, 4, 12), 0.24),
        ((2026, 12, 1, 12), 0.35),
        ((2026, 3, 1, 5), 0.26),
    ],
)
def test_the_example_has_the_prices_of_its_seasons_days_and_times(at: tuple[int, ...], price: float) -> None:
    tariff = read_tariff(EXAMPLE)
    moment = datetime(*at, tzinfo=ZoneInfo("Europe/Berlin"))  # type: ignore[arg-type, misc]
    assert (tariff.currency, tariff.import_price(moment), tariff.export_price(moment)) == ("EUR", price, 0.08)


def test_one_price_all_year_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "tariff.json"
    file.write_text('{"tariff": {"currency": {"code": "eur"}, "single_rate": {"rate": 0.32, "sell": 0.08}}}')
    tariff = read_tariff(file)
    assert (tariff.currency, list(tariff.imported), list(tariff.exported)) == ("EUR", [0.32], [0.08])


@pytest.mark.parametrize(
    "recording", ["7.6.175_with_cts", "8.2.127_with_3cts_and_battery_split", "8.3.5433_tot_is_net_cons"]
)
def test_a_document_saved_from_a_gateway_is_a_tariff(recording: str) -> None:
    assert read_tariff(find_recording(recording) / "admin_lib_tariff").currency


def change(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    """Return what changes one value of a document; None removes it."""

    def apply(document: Any) -> None:
        *places, last = path
        for place in places:
            document = document[place]
        if to is None:
            del document[last]
        else:
            document[last] = to

    return apply


SEASON = ("tariff", "seasons", 0)
GROUP = (*SEASON, "days", 0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (change("tariff", to=None), "tariff: is missing: configuration/tariff.json.example shows it"),
        (change("tariff", to=[]), "tariff: must be an object, {...}"),
        (change("tariff", "currency", "code", to="€"), "tariff.currency.code: must be the three letters"),
        (
            change("tariff", "single_rate", "rate", to="0.3"),
            "tariff.single_rate.rate: must be a price per kWh",
        ),
        (
            change("tariff", "single_rate", "sell", to=float("nan")),
            "single_rate.sell: must be a price per kWh",
        ),
        (change("tariff", "seasons", to={}), "tariff.seasons: must be a list, [...]"),
        (change("tariff", "sesons", to=[]), "tariff.sesons: is not known: write seasons"),
        (change(*SEASON, "start", to="13/1"), "tariff.seasons[0].start: must be month and day"),
        (change(*SEASON, "start", to="10/1"), "tariff.seasons: two have the same start"),
        (change(*SEASON, "days", to=[]), "tariff.seasons: some have days with prices and others have none"),
        (change(*SEASON, "days", 1, to=None), "seasons[0].days: has Sat, Sun without prices: name each"),
        (change(*SEASON, "days", 1, "days", to="Fri,Sat,Sun"), "seasons[0].days: has Fri more than once"),
        (change(*SEASON, "days", 1, to=5), "tariff.seasons[0].days[1]: must be an object, {...}"),
        (change(*GROUP, "days", to="Mon-Fri"), "seasons[0].days[0].days: must be some of"),
        (change(*GROUP, "periods", to=[]), "days[0].periods: must hold at least one period"),
        (change(*GROUP, "periods", 1, "start", to="25:00"), "periods[1].start: must be a local time such as"),
        (change(*GROUP, "periods", 1, "start", to=1440), "periods[1].start: must be a local time such as"),
        (change(*GROUP, "periods", 1, "start", to=0), "days[0].periods: two have the same start"),
    ],
)
def test_an_error_names_the_key_and_what_to_write_there(
    tmp_path: Path, changed: Callable[[dict[str, Any]], None], message: str
) -> None:
    document = json.loads(EXAMPLE.read_text())
    changed(document)
    file = tmp_path / "tariff.json"
    file.write_text(json.dumps(document))
    with pytest.raises(SettingsError) as error:
        read_tariff(file)
    assert str(error.value).startswith(f"{file}: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file: copy configuration/tariff.json.example there, and write your prices"),
        ("{", "line 1, column 2: not valid JSON"),
        ("[]", "must hold one JSON object, {...}: compare it with the examples in configuration/"),
        ('{"tariff": {"currency": {"code": "EUR"}}}', "tariff.single_rate: no price is set"),
        (
            '{"tariff": {"currency": {"code": "EUR"}, "single_rate": {"rate": 0, "sell": 0}}}',
            "tariff.single_rate: no price is set",
        ),
    ],
)
def test_a_file_without_a_tariff_is_an_error(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "tariff.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=r"tariff\.json") as error:
        read_tariff(file)
    assert message in str(error.value)
