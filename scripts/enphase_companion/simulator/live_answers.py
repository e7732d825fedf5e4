"""The live view under /ivp/livedata: moves each second while its stream is on, stands still otherwise."""

from __future__ import annotations

from typing import Any

from .house import House
from .truth import BatteryState, Electricity, Measurement

#: Once switched on, the stream ends by itself (house seconds).
STREAM_SECONDS = 15 * 60
_NEVER = 0


class LiveView:
    """The state of one gateway's live stream."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._on_until: int = _NEVER

    def switch(self, on: bool, at: int) -> dict[str, Any]:
        """Answer a POST to /ivp/livedata/stream."""
        if on:
            self._on_until = at + STREAM_SECONDS
        elif self._on_until > at:
            self._on_until = at
        return {"sc_stream": "enabled" if on else "disabled"}

    def status(self, at: int) -> dict[str, Any]:
        """Return /ivp/livedata/status."""
        streaming = at < self._on_until
        return {
            "connection": {
                "mqtt_state": "connected",
                "prov_state": "configured",
                "auth_state": "ok",
                "sc_stream": "enabled" if streaming else "disabled",
                "sc_debug": "disabled",
            },
            "meters": self._meters(min(at, self._on_until)),
            "tasks": {"task_id": 0, "timestamp": 0},
            "counters": {"main_CfgLoad": 1},
        }

    def _meters(self, at: int) -> dict[str, Any]:
        profile = self._house.profile
        truth = None if at == _NEVER else self._house.truth(at)
        battery = truth.battery if truth else None
        is_acb = profile.battery is not None and profile.battery.kind == "acb"
        iq, ac = (None, battery) if is_acb else (battery, None)
        return {
            "last_update": at,
            "soc": _percent(battery),
            "main_relay_state": 1,
            "gen_relay_state": 5,
            "backup_bat_mode": 1,
            "backup_soc": round(battery.reserve) if battery else 0,
            "is_split_phase": int(profile.phase_mode == "split"),
            "phase_count": profile.wired,
            "enc_agg_soc": _percent(iq),
            "enc_agg_energy": round(iq.available_energy) if iq else 0,
            "acb_agg_soc": _percent(ac),
            "acb_agg_energy": round(ac.available_energy) if ac else 0,
            "pv": _flow(truth.production if truth else None),
            "storage": _flow(truth.storage if truth else None),
            "grid": _flow(truth.net_consumption if truth else None),
            "load": _flow(truth.total_consumption if truth else None),
            "generator": _flow(None),
        }


def _percent(battery: BatteryState | None) -> int:
    return round(battery.state_of_charge) if battery else 0


def _flow(measured: Measurement | None) -> dict[str, int]:
    """Milliwatts and millivolt-amperes in total and by phase."""

    def milli(electricity: Electricity | None, quantity: str) -> int:
        return 0 if electricity is None else round(getattr(electricity, quantity) * 1000)

    phases: list[Electricity | None] = list(measured.phases) if measured else []
    parts = {"": measured.total if measured else None}
    parts |= {f"_ph_{letter}": phases[n] if n < len(phases) else None for n, letter in enumerate("abc")}
    return {
        f"agg_{short}{part}_{unit}": milli(electricity, quantity)
        for short, unit, quantity in (("p", "mw", "active_power"), ("s", "mva", "apparent_power"))
        for part, electricity in parts.items()
    }
