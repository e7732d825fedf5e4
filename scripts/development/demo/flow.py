"""Set up the integration through its config flow, without a browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .errors import DemoError
from .owner import Owner

DOMAIN = "enphase_iq_gateway"

#: Input of a step: the data, or a function that returns it for the displayed form (and may raise DemoError).
Filling = Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]]


async def choose_options(owner: Owner, entry_id: str, **chosen: Any) -> None:
    """Set options of an entry; those that are not given get their defaults."""
    path = "/api/config/config_entries/options/flow"
    shown = await owner.post(path, {"handler": entry_id})
    await owner.post(f"{path}/{shown['flow_id']}", chosen)


async def walk(owner: Owner, steps: Mapping[str, Filling]) -> str:
    """Complete the flow with the input of each step in `steps`, by step id, and return the new entry's id.

    Raise DemoError if the flow shows an error, an unknown step, or ends with something other than an entry.
    """
    shown = await owner.post("/api/config/config_entries/flow", {"handler": DOMAIN})
    while shown["type"] in {"form", "menu"}:
        step = shown["step_id"]
        if shown.get("errors"):
            raise DemoError(f"the set-up of {DOMAIN} shows an error at {step!r}: {shown['errors']}")
        if step not in steps:
            raise DemoError(f"the set-up of {DOMAIN} has a step {step!r} that is new to the demo: {shown}")
        filling = steps[step]
        data = filling(shown) if callable(filling) else filling
        shown = await owner.post(f"/api/config/config_entries/flow/{shown['flow_id']}", dict(data))
    if shown["type"] != "create_entry":
        raise DemoError(f"the set-up of {DOMAIN} ended without an entry: {shown}")
    return str(shown["result"]["entry_id"])


def steps(url: str, serial_number: str, fingerprint: str, username: str, password: str) -> dict[str, Filling]:
    """Return the input of the flow's steps; the trust step compares the fingerprint."""

    def compare_fingerprint(form: dict[str, Any]) -> Mapping[str, Any]:
        shown = form["description_placeholders"]
        seen = shown["fingerprint"].replace(" ", ":")
        if (seen, shown["serial"]) != (fingerprint, serial_number):
            raise DemoError(
                f"the set-up shows gateway {shown['serial']} with fingerprint {seen}, "
                f"but the gateway is {serial_number} with {fingerprint}"
            )
        return {}

    return {
        "user": {"host": url},
        "trust": compare_fingerprint,
        "sign_in": {"next_step_id": "account"},
        "account": {"username": username, "password": password, "renew": False},
        "meters_found": {},
        "no_meters": {},
    }
