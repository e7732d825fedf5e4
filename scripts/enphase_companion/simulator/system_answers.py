"""Answers about the gateway itself: /info, /home.json and the live view under /ivp/livedata."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .house import House
from .truth import BatteryState, Electricity, Measurement

#: Packages as /info lists them; name, part number, version.
_PACKAGES = (
    ("rootfs", "500-00001-r01", "02.00.00"),
    ("kernel", "500-00011-r02", "04.04.225"),
    ("boot", "590-00019-r01", "02.00.01"),
    ("devimg", "500-00005-r01", "01.02.371"),
    ("geo", "500-00008-r01", "02.01.24"),
    ("backbone", "500-00010-r01", "07.00.20"),
    ("meter", "500-00013-r01", "03.02.08"),
    ("agf", "500-00012-r01", "02.02.00"),
    ("security", "500-00016-r01", "02.00.00"),
)
_BUILT = 1687460237


def info(house: House, serial_number: str, at: int) -> str:
    """Return /info (XML)."""
    profile = house.profile
    part = "800-00654-r08" if profile.metered else "800-00656-r06"
    tokens = "  <web-tokens>true</web-tokens>\n" if profile.uses_tokens else ""
    packages = "".join(
        f"  <package name='{name}'>\n    <pn>{number}</pn>\n    <version>{version}</version>\n"
        "    <build>51b7a2</build>\n  </package>\n"
        for name, number, version in _PACKAGES
    )
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n<envoy_info>\n"
        f"  <time>{at}</time>\n  <device>\n    <sn>{serial_number}</sn>\n    <pn>{part}</pn>\n"
        f"    <software>{profile.firmware}</software>\n    <euaid>4c8675</euaid>\n    <seqnum>0</seqnum>\n"
        f"    <apiver>1</apiver>\n    <imeter>{str(profile.metered).lower()}</imeter>\n  </device>\n"
        f"{tokens}{packages}  <build_info>\n    <build_id>simulated</build_id>\n"
        f"    <build_time_gmt>{_BUILT}</build_time_gmt>\n    <release_ver>02.00.4238</release_ver>\n"
        "    <release_stage>700-GA</release_stage>\n  </build_info>\n</envoy_info>\n"
    )


def home(house: House, at: int) -> dict[str, Any]:
    """Return /home.json and /home."""
    local = datetime.fromtimestamp(at + house.utc_offset, UTC)
    hours = round(house.utc_offset / 3600)
    return {
        "software_build_epoch": _BUILT,
        "is_nonvoy": not house.profile.metered,
        "db_size": "8 MB",
        "db_percent_full": "2",
        # The sign of these zone names is turned round: Etc/GMT-1 is an hour ahead of UTC.
        "timezone": f"Etc/GMT{-hours:+d}" if hours else "Etc/UTC",
        "current_date": local.strftime("%m/%d/%Y"),
        "current_time": local.strftime("%H:%M"),
        "network": {
            "web_comm": True,
            "ever_reported_to_enlighten": True,
            "last_enlighten_report_time": at // 900 * 900,
            "primary_interface": "eth0",
            "interfaces": [
                {
                    "type": "ethernet",
                    "interface": "eth0",
                    "mac": "00:1D:C0:00:00:01",
                    "dhcp": True,
                    "ip": "192.0.2.10",
                    "signal_strength": 1,
                    "signal_strength_max": 1,
                    "carrier": True,
                }
            ],
        },
        "tariff": "single_rate",
        "comm": {
            "num": len(house.inverters),
            "level": 5,
            "pcu": {"num": len(house.inverters), "level": 5},
            "acb": {"num": 0, "level": 0},
            "nsrb": {"num": 0, "level": 0},
            "esub": {"num": 0, "level": 0},
            "encharge": [],
        },
        "alerts": [],
        "update_status": "satisfied",
    }


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
        profile, orders = self._house.profile, self._house.orders(at)
        truth = None if at == _NEVER else self._house.truth(at)
        battery = truth.battery if truth else None
        is_acb = profile.battery is not None and profile.battery.kind == "acb"
        iq, ac = (None, battery) if is_acb else (battery, None)
        return {
            "last_update": at,
            "soc": _percent(battery),
            "main_relay_state": int(orders.on_grid),
            "gen_relay_state": (1 if truth and truth.generator else 0) if profile.generator else 5,
            "backup_bat_mode": 1,
            "backup_soc": round(orders.kept) if battery else 0,
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
            "generator": _generator_flow(truth.generator if truth else 0.0, profile.wired),
        }


def _percent(battery: BatteryState | None) -> int:
    return round(battery.state_of_charge) if battery else 0


def _generator_flow(watts: float, phases: int) -> dict[str, int]:
    """Return the flow of a generator that feeds all phases alike, without reactive power."""
    share = round(watts / phases * 1000)
    return {
        f"agg_{short}{part}_{unit}": power
        for short, unit in (("p", "mw"), ("s", "mva"))
        for part, power in (
            ("", round(watts * 1000)),
            *((f"_ph_{letter}", share if number < phases else 0) for number, letter in enumerate("abc")),
        )
    }


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
