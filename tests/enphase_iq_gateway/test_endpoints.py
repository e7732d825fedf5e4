"""The schedules of the endpoints."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_components.enphase_iq_gateway.const import MAX_SCAN_INTERVAL, MIN_SCAN_INTERVAL
from custom_components.enphase_iq_gateway.endpoints import (
    PER_REFRESH,
    POLL_INTERVALS,
    Endpoint,
    EndpointSchedule,
    PollSchedule,
)

NOW = datetime(2026, 6, 21, 12, tzinfo=UTC)


@pytest.fixture
def schedule() -> EndpointSchedule:
    """Return the schedule of an endpoint that is polled every five minutes."""
    return EndpointSchedule(Endpoint.INVERTERS, timedelta(minutes=5))


def test_endpoints_that_reveal_new_devices_are_due_at_startup() -> None:
    polls = PollSchedule()
    due = {endpoint for endpoint in POLL_INTERVALS if polls[endpoint].is_due(NOW, is_needed=False)}
    assert due == set(Endpoint) - PER_REFRESH - {Endpoint.PRODUCTION, Endpoint.TOTALS}


def test_the_readings_are_due_with_each_refresh_if_needed() -> None:
    readings = PollSchedule()[Endpoint.READINGS]
    readings.mark_requested(NOW)
    assert readings.is_due(NOW, is_needed=True)
    # The clock of Home Assistant was set back.
    assert readings.is_due(NOW - timedelta(hours=1), is_needed=True)
    assert not readings.is_due(NOW + timedelta(days=1), is_needed=False)


def test_an_endpoint_is_due_again_after_its_interval(schedule: EndpointSchedule) -> None:
    schedule.mark_requested(NOW)
    assert not schedule.is_due(NOW + timedelta(seconds=299), is_needed=True)
    assert schedule.is_due(NOW + timedelta(seconds=300), is_needed=True)


def test_an_endpoint_that_is_not_needed_is_due_after_twelve_hours(schedule: EndpointSchedule) -> None:
    schedule.mark_requested(NOW)
    assert not schedule.is_due(NOW + timedelta(hours=12, seconds=-1), is_needed=False)
    assert schedule.is_due(NOW + timedelta(hours=12), is_needed=False)


def test_a_requested_refresh_is_due_immediately(schedule: EndpointSchedule) -> None:
    schedule.mark_requested(NOW)
    schedule.request_refresh()
    assert schedule.is_due(NOW, is_needed=False)


def test_a_response_counts_for_three_intervals(schedule: EndpointSchedule) -> None:
    refresh = timedelta(seconds=10)
    assert not schedule.is_fresh(NOW, refresh)
    schedule.mark_received(NOW, 0.1)
    assert schedule.is_fresh(NOW + timedelta(seconds=899), refresh)
    assert not schedule.is_fresh(NOW + timedelta(seconds=900), refresh)


def test_a_response_counts_for_three_refreshes_if_those_are_rarer(schedule: EndpointSchedule) -> None:
    assert schedule.max_age(timedelta(minutes=10)) == timedelta(minutes=30)
    assert PollSchedule()[Endpoint.READINGS].max_age(timedelta(seconds=10)) == timedelta(seconds=30)


def test_what_each_refresh_polls_is_never_polled_in_the_background() -> None:
    polls, needed = PollSchedule(), set(Endpoint)
    polled = []
    while (endpoint := polls.next_due(NOW, needed)) is not None:
        polls[endpoint].mark_requested(NOW)
        polled.append(endpoint)
    assert polled == [endpoint for endpoint in POLL_INTERVALS if endpoint not in PER_REFRESH]


@pytest.mark.parametrize("is_metered", [False, True])
def test_every_response_counts_until_the_next_one_at_any_refresh_interval(is_metered: bool) -> None:
    background = set(POLL_INTERVALS) - {Endpoint.READINGS}
    for seconds in range(MIN_SCAN_INTERVAL, MAX_SCAN_INTERVAL + 1):
        interval, now = timedelta(seconds=seconds), NOW
        polls = PollSchedule(interval)
        polls.set_batteries_metered(is_metered)
        while now < NOW + timedelta(hours=1):
            # Endpoints are polled after each refresh; a slow gateway takes longer.
            for endpoint in background:
                assert now == NOW or polls.is_fresh(endpoint, now), (endpoint, seconds)
                if polls[endpoint].is_due(now, is_needed=True):
                    polls[endpoint].mark_requested(now)
                    polls[endpoint].mark_received(now + timedelta(seconds=min(seconds, 5) / 2), 0.1)
            now += interval
