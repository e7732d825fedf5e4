"""The prices of a tariff: one at each minute of a year, or none."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from enphase_api import InvalidAnswerError
from enphase_api.models import Tariff
from tests.recordings import find_recording

ZONE = ZoneInfo("Europe/Amsterdam")
WEEKDAYS, WEEKEND = "Mon,Tue,Wed,Thu,Fri", "Sat,Sun"


def season(start: str, **days: list[tuple[int, float]]) -> dict[str, Any]:
    names = {"weekdays": WEEKDAYS, "weekend": WEEKEND, "all_days": f"{WEEKDAYS},{WEEKEND}"}
    entries = [
        {
            "days": names[name],
            "periods": [{"id": "filler", "start": start, "rate": rate} for start, rate in each],
        }
        for name, each in days.items()
    ]
    return {"id": "season", "start": start, "days": entries, "tiers": []}


def document(
    seasons: object,
    sell: Iterable[object] = (),
    rate: object = 0.25,
    sold: object = 0.08,
    code: object = "EUR",
) -> dict[str, Any]:
    single = {"rate": rate, "sell": sold}
    tariff = {
        "currency": {"code": code},
        "single_rate": single,
        "seasons": seasons,
        "seasons_sell": list(sell),
    }
    return {"tariff": tariff}


SUMMER = season("6/1", weekdays=[(150, 0.3), (900, 0.5)], weekend=[(0, 0.2)])
WINTER = season("10/1", all_days=[(150, 0.4), (1320, 0.1)])
TIME_OF_USE = document([SUMMER, WINTER])


def parsed(answer: object) -> Tariff:
    tariff = Tariff.from_json(answer)
    assert tariff is not None
    return tariff


def local(*at: int, fold: int = 0) -> datetime:
    return datetime(*at, tzinfo=ZONE, fold=fold)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("at", "price"),
    [
        ((2026, 6, 1, 2, 30), 0.3),
        ((2026, 6, 1, 14, 59), 0.3),
        ((2026, 6, 1, 15, 0), 0.5),
        ((2026, 6, 6, 15, 0), 0.2),
        ((2026, 5, 31, 23, 59), 0.1),
        ((2026, 1, 1, 12, 0), 0.4),
        ((2026, 12, 31, 22, 0), 0.1),
    ],
)
def test_a_price_depends_on_season_day_and_time(at: tuple[int, ...], price: float) -> None:
    assert parsed(TIME_OF_USE).import_price(local(*at)) == price


@pytest.mark.parametrize(
    ("at", "price"),
    [
        ((2026, 1, 5, 2, 29), 0.1),
        # From Sunday to Monday, and from a season to the next.
        ((2026, 6, 8, 2, 29), 0.2),
        ((2026, 6, 1, 2, 29), 0.1),
        ((2026, 10, 1, 2, 29), 0.5),
    ],
)
def test_the_last_period_of_a_day_lasts_over_midnight(at: tuple[int, ...], price: float) -> None:
    assert parsed(TIME_OF_USE).import_price(local(*at)) == price


def test_one_price_all_year_without_seasons() -> None:
    tariff = parsed(document([], rate=0.321370005607605))
    assert (
        tariff.currency,
        tariff.import_price(local(2026, 7, 1)),
        tariff.export_price(local(2026, 7, 1)),
    ) == (
        "EUR",
        0.32137,
        0.08,
    )


def test_exported_energy_has_its_own_seasons() -> None:
    tariff = parsed(document([], sell=[season("1/1", all_days=[(0, 0.05), (960, 0.2)])]))
    assert tariff.export_price(local(2026, 7, 1, 15, 59)) == 0.05
    assert tariff.export_price(local(2026, 7, 1, 16, 0)) == 0.2


def test_a_tariff_that_was_never_entered_has_no_price() -> None:
    assert Tariff.from_json(document([], rate=0.0, sold=0.0)) is None


def test_zero_beside_other_prices_is_a_price() -> None:
    assert parsed(document([], sold=0)).export_price(local(2026, 7, 1)) == 0


@pytest.mark.parametrize(
    "broken",
    [
        document([{**SUMMER, "start": "13/1"}]),
        document([{**SUMMER, "start": "June"}]),
        document([season("6/1", all_days=[(1440, 0.3)])]),
        document([{**SUMMER, "days": [{"days": "Mon,Someday", "periods": []}]}]),
        document([{**SUMMER, "days": [], "tiers": [{"rate": 0.1}, {"rate": 0.2}]}]),
    ],
)
def test_prices_that_cannot_be_known_are_none(broken: object) -> None:
    tariff = parsed(broken)
    assert tariff.import_price(local(2026, 7, 1)) is None
    assert tariff.export_price(local(2026, 7, 1)) == 0.08


@pytest.mark.parametrize("code", [None, "", "EURO", "€", 3])
def test_without_a_currency_there_is_no_price(code: object) -> None:
    assert Tariff.from_json(document([], code=code)) is None


@pytest.mark.parametrize("answer", [[], {}, {"tariff": []}])
def test_another_structure_is_an_error(answer: object) -> None:
    with pytest.raises(InvalidAnswerError):
        Tariff.from_json(answer)


def test_each_minute_of_a_year_has_the_price_since_the_last_change() -> None:
    """Walk from change to change: no minute between two of them has another price, nor does any lack one."""
    tariff = parsed(TIME_OF_USE)
    at, end = local(2026, 1, 1).astimezone(UTC), local(2027, 1, 1).astimezone(UTC)
    change, price = at, None
    while at < end:
        now = at.astimezone(ZONE)
        if at == change:
            price, change = tariff.import_price(now), tariff.next_change(now)
            assert price is not None
        assert tariff.import_price(now) == price
        at += timedelta(minutes=1)


@pytest.mark.parametrize(
    ("at", "change"),
    [
        # 2:30 is skipped: at 3:00 it is past.
        (local(2027, 3, 28, 1, 0), datetime(2027, 3, 28, 1, 0, tzinfo=UTC)),
        # 2:30 is twice, and between them is 2:00 again.
        (local(2026, 10, 25, 1, 0), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (local(2026, 10, 25, 2, 45), datetime(2026, 10, 25, 1, 0, tzinfo=UTC)),
        (local(2026, 10, 25, 2, 0, fold=1), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_changes_follow_the_clock_on_the_wall(at: datetime, change: datetime) -> None:
    assert parsed(TIME_OF_USE).next_change(at) == change


def test_without_a_change_the_next_one_is_midnight() -> None:
    at = local(2026, 7, 1, 12)
    assert parsed(document([])).next_change(at) == local(2026, 7, 2).astimezone(UTC)


@pytest.mark.parametrize(
    ("recording", "prices"),
    [
        ("7.6.175_with_cts", ("EUR", 0.14, 0.0)),
        ("8.2.127_with_3cts_and_battery_split", ("USD", 0.63003, 9.9e-05)),
        ("8.3.5433_tot_is_net_cons", ("USD", None, 0.151079)),
        ("8.2.4264_metered_noct", None),
    ],
)
def test_recorded_tariffs_are_read(recording: str, prices: object) -> None:
    path = find_recording(recording) / "admin_lib_tariff"
    tariff, at = Tariff.from_json(json.loads(path.read_text())), local(2026, 7, 1, 17)
    found = None if tariff is None else (tariff.currency, tariff.import_price(at), tariff.export_price(at))
    assert found == prices
