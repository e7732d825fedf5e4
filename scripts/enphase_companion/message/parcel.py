"""A parcel: a message ready to be sent, as it waits on disk and goes to the broker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message in its form on the queue, and what is said of it outside."""

    message_id: str
    #: Serial number.
    gateway: str
    routing_key: str
    body: bytes
