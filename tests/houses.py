"""The day that simulated houses have, whatever the calendar says: tests hold on any date and at any hour."""

from __future__ import annotations

from datetime import date

#: A long day: the house makes more than it uses, and its batteries last into the night.
JUNE = date(2026, 6, 21)
