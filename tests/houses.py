"""The date of simulated houses, so that tests do not depend on the current date."""

from __future__ import annotations

from datetime import date

#: A long day: the house exports, and its batteries last into the night.
JUNE = date(2026, 6, 21)
