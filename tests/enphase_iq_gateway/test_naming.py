"""What meters are called, and how often pages are asked: the small rooms by themselves."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_components.enphase_iq_gateway.const import INTERVALS
from custom_components.enphase_iq_gateway.enphase_api.models import Meter
from custom_components.enphase_iq_gateway.naming import meter_name
from custom_components.enphase_iq_gateway.pages import PACE, Page, Pages

WORDS = {"production": "Production", "net-consumption": "Grid"}
NOW = datetime(2026, 6, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("net-consumption", "Grid"), ("heat-pump", "Heat pump"), ("wind_mill", "Wind mill"), ("pv3p", "Pv3p")],
)
def test_a_meter_of_an_unknown_type_gets_a_sensible_name(kind: str, name: str) -> None:
    meter = Meter(eid=1, measurement_type=kind, enabled=True)
    assert meter_name(WORDS, (meter,), meter) == name


def test_two_meters_of_a_type_are_told_apart() -> None:
    meters = tuple(Meter(eid=eid, measurement_type="production", enabled=True) for eid in (7, 8))
    assert [meter_name(WORDS, meters, meter) for meter in meters] == ["Production", "Production 2"]


def test_pages_that_were_never_asked_are_all_due_but_those_that_say_nothing_new() -> None:
    due = {page for page in PACE if Pages().is_due(page, NOW, ())}
    assert due == set(PACE) - {Page.PRODUCTION, Page.TOTALS}


def test_a_page_that_was_asked_is_due_again_after_its_pace() -> None:
    pages = Pages()
    pages.asked(Page.INVERTERS, NOW)
    needed = {Page.INVERTERS}
    assert not pages.is_due(Page.INVERTERS, NOW + timedelta(seconds=299), needed)
    assert pages.is_due(Page.INVERTERS, NOW + timedelta(seconds=300), needed)
    assert not pages.is_due(Page.INVERTERS, NOW + timedelta(hours=11), ())
    pages.hurry(Page.INVERTERS)
    assert pages.is_due(Page.INVERTERS, NOW, ())


def test_an_answer_counts_for_three_paces() -> None:
    pages = Pages()
    assert not pages.is_fresh(Page.BATTERIES, NOW)
    pages.answered(Page.BATTERIES, NOW, 0.1)
    assert pages.is_fresh(Page.BATTERIES, NOW + timedelta(seconds=179))
    assert not pages.is_fresh(Page.BATTERIES, NOW + timedelta(seconds=180))


@pytest.mark.parametrize(
    "relaxed", [frozenset(), frozenset({Page.BATTERIES})], ids=["no_meters", "meters_found"]
)
def test_every_answer_counts_until_the_next_one_whatever_the_interval(relaxed: frozenset[Page]) -> None:
    for seconds in range(INTERVALS[0], INTERVALS[1] + 1):
        interval, now = timedelta(seconds=seconds), NOW
        pages = Pages(interval)
        pages.relaxed = relaxed
        while now < NOW + timedelta(hours=1):
            # Behind each refresh; a slow gateway takes its time.
            for page in PACE:
                assert now == NOW or pages.is_fresh(page, now), (page, seconds)
                if pages.is_due(page, now, set(PACE)):
                    pages.asked(page, now)
                    pages.answered(page, now + timedelta(seconds=min(seconds, 5) / 2), 0.1)
            now += interval
