"""The gateway's pages: how often each is asked, which is due, and whether its last answer still counts."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Page(StrEnum):
    """What the coordinator asks for."""

    READINGS = "readings"
    METERS = "meters"
    PRODUCTION = "production"
    TOTALS = "totals"
    INVERTERS = "inverters"
    BATTERIES = "batteries"
    INFO = "info"


#: Readings are asked for at the owner's interval, the other pages at their own pace.
PACE = {
    Page.BATTERIES: timedelta(minutes=1),
    # Inverters report every five minutes, and AC Batteries, over the same power line, no more often.
    Page.INVERTERS: timedelta(minutes=5),
    # The one page that knows what AC Batteries do on every gateway: the list of inverters has them on some
    # only, and /inventory.json takes longer still. It takes a gateway up to five seconds.
    Page.PRODUCTION: timedelta(minutes=5),
    Page.TOTALS: timedelta(minutes=5),
    Page.METERS: timedelta(minutes=15),
    Page.INFO: timedelta(hours=12),
}

#: Batteries take three requests. With a meter of their own, what is left to ask of them changes slowly.
_RELAXED_PACE = {Page.BATTERIES: timedelta(minutes=3)}

#: What no entity needs is asked all the same, rarely, so that a new inverter, battery or meter is noticed.
_UNNEEDED_PACE = timedelta(hours=12)

#: While no entity needs them, they are never asked: the first takes a gateway seconds, and whether there are
#: AC Batteries stands on the quick page of the batteries. Neither says anything new.
_ONLY_IF_NEEDED = {Page.PRODUCTION, Page.TOTALS}

#: After so many paces without an answer the last one no longer counts.
_PATIENCE = 3


@dataclass(slots=True)
class _Times:
    asked: datetime | None = None
    answered: datetime | None = None
    seconds: float | None = None


class Pages:
    """When each page was asked and answered."""

    def __init__(self, interval: timedelta = timedelta()) -> None:
        self._times = {page: _Times() for page in Page}
        #: Between two refreshes: a page is asked behind a refresh, so it can be due sooner than it is asked.
        self.interval = interval
        #: Pages of which less is wanted at this gateway.
        self.relaxed: frozenset[Page] = frozenset()

    def asked(self, page: Page, now: datetime) -> None:
        """Note that a page is being asked."""
        self._times[page].asked = now

    def answered(self, page: Page, now: datetime, seconds: float) -> None:
        """Note that a page has answered, and how long it took."""
        self._times[page].answered = now
        self._times[page].seconds = seconds

    def hurry(self, page: Page) -> None:
        """Have a page asked at the next opportunity."""
        self._times[page].asked = None

    def is_due(self, page: Page, now: datetime, needed: Collection[Page]) -> bool:
        """Return whether it is time to ask a page."""
        if page not in needed and page in _ONLY_IF_NEEDED:
            return False
        asked = self._times[page].asked
        pace = self._pace(page) if page in needed else max(PACE[page], _UNNEEDED_PACE)
        return asked is None or now - asked >= pace

    def next_due(self, now: datetime, needed: Collection[Page]) -> Page | None:
        """Return a page that is due, the quickest-paced first, or None."""
        return next((page for page in PACE if self.is_due(page, now, needed)), None)

    def is_fresh(self, page: Page, now: datetime) -> bool:
        """Return whether a page's last answer still counts; of the readings the coordinator itself knows."""
        if page is Page.READINGS:
            return True
        answered = self._times[page].answered
        return answered is not None and now - answered < _PATIENCE * max(self._pace(page), self.interval)

    def _pace(self, page: Page) -> timedelta:
        return _RELAXED_PACE[page] if page in self.relaxed else PACE[page]

    def answered_at(self, page: Page) -> datetime | None:
        """Return when a page answered last (UTC)."""
        return self._times[page].answered

    def as_dict(self) -> dict[str, dict[str, str | float | None]]:
        """Return all times, for diagnostics."""
        return {
            page.value: {
                "requested_at": None if times.asked is None else times.asked.isoformat(),
                "received_at": None if times.answered is None else times.answered.isoformat(),
                "duration": None if times.seconds is None else round(times.seconds, 3),
            }
            for page, times in self._times.items()
        }
