"""The gateway's settings, and what it does when it is told to change them."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from . import battery_answers, controller_answers, tariff_answers
from .house import House
from .inverter_answers import ac_battery_serials
from .orders import CLOSED, ECONOMY, OverTime
from .prices import Prices

OPEN = "open"
#: Seconds until the battery controller has read a written document.
STORAGE_LAG = 3
CONTACT_LAG = 2
GENERATOR_LAG = 3
POWER_LAG = 10
SLEEP_LAG = 60
#: Seconds until the main relay has moved, by its wanted position; and those of firmware 8.3.6086.
RELAY_LAGS = {OPEN: 5, CLOSED: 3}
SLOW_RELAY_LAGS = {OPEN: 28, CLOSED: 12}
#: Seconds for which microinverters are off after the grid has come or gone.
DROPOUT = 45
#: Seconds for which NC contacts read open after a change of settings.
MISREAD = 60
#: Seconds after which the cloud restores what was changed locally.
WRITE_BACK = 600
#: The array, and what a change of its power mode is sent to.
ARRAY = "/ivp/mod/603980032/mode/power"

#: The storage settings by the name that the batteries' controller has for them.
_STORAGE = {
    "mode": "mode",
    "reserve": "reserved_soc",
    "very_low": "very_low_soc",
    "charge_from_grid": "charge_from_grid",
}
_MODES = ("self-consumption", ECONOMY, "savings-mode", "backup")


class Controls:
    """The settings of one gateway. Commands take effect in the house some seconds after they are sent.

    A command's method returns the gateway's answer. Raises ValueError for a body that the gateway rejects.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._quirks = house.profile.quirks
        self._tariff = OverTime(tariff_answers.tariff(house))
        house.order(house.start, prices=Prices.of(self._tariff.at(house.start)))
        settings = controller_answers.dry_contact_settings(house.profile)
        self._contacts = {entry["id"]: OverTime(entry) for entry in settings}
        generator = bool(house.profile.generator)
        self._generator_mode = OverTime("off")
        self._generator_config = OverTime(controller_answers.generator_config() if generator else {})
        self._generator_schedule = OverTime(controller_answers.generator_schedule() if generator else {})
        self._power_off = OverTime(False)
        self._sleep: OverTime[dict[str, dict[str, Any]]] = OverTime({})
        #: Whether charging from the grid is allowed; the orders of the house say whether it happens.
        self.grid_charging_allowed = OverTime(False)
        self._is_stuck = "scheduler-stuck" in self._quirks
        self._commands: dict[tuple[str, str], Callable[[Any, int], Any]] = {
            ("PUT", "/admin/lib/tariff"): self._put_tariff,
            ("PUT", "/admin/lib/acb_config"): self._put_to_sleep,
            ("DELETE", "/admin/lib/acb_config"): self._wake,
            ("PUT", ARRAY): self._put_power,
        }
        if house.profile.has_controller:
            self._commands |= {
                ("POST", "/ivp/ensemble/relay"): self._post_relay,
                ("POST", "/ivp/ensemble/dry_contacts"): self._post_contact,
                ("POST", "/ivp/ss/dry_contact_settings"): self._post_contact_settings,
            }
        if generator:
            self._commands |= {
                ("POST", "/ivp/ss/gen_mode"): self._post_generator_mode,
                ("POST", "/ivp/ss/gen_config"): self._post_generator_config,
                ("POST", "/ivp/ss/gen_schedule"): self._post_generator_schedule,
            }

    def table(self, now: Callable[[], int]) -> dict[str, Callable[[], Any]]:
        """Return the settings that can be read, by path."""
        return {
            "/admin/lib/tariff": lambda: self.tariff(now()),
            "/admin/lib/tariff.json": lambda: self.tariff(now()),
            "/admin/lib/acb_config": lambda: self.sleeping(now()),
            "/admin/lib/acb_config.json": lambda: self.sleeping(now()),
            "/ivp/ss/dry_contact_settings": lambda: self.contact_settings(now()),
            "/ivp/ss/gen_mode": lambda: self.generator_mode(now()),
            "/ivp/ss/gen_config": lambda: self._generator_config.at(now()),
            "/ivp/ss/gen_schedule": lambda: self._generator_schedule.at(now()),
            "/ivp/sc/sched": lambda: battery_answers.sched(
                self._house, now(), allowed=self.grid_charging_allowed.at(now())
            ),
            ARRAY: lambda: self.power_mode(now()),
        }

    def command(self, method: str, path: str, body: Any, at: int) -> Any:
        """Carry out a command and return its answer; None for a path that takes none."""
        found = self._commands.get((method, path.removesuffix(".json")))
        return None if found is None else found(body, at)

    def tariff(self, at: int) -> dict[str, Any]:
        """Return the tariff document with the schedule that the gateway makes of it."""
        document = self._tariff.at(at)
        ignored = "local-writes-ignored" in self._quirks
        return {"tariff": document, "schedule": tariff_answers.schedule(document, at, defaults=ignored)}

    def contact_settings(self, at: int) -> dict[str, Any]:
        """Return the settings of all dry contacts."""
        return {"dry_contacts": [settings.at(at) for settings in self._contacts.values()]}

    def generator_mode(self, at: int) -> dict[str, Any]:
        """Return what the generator was told; empty without one."""
        if not self._house.profile.generator:
            return {}
        return {"gen_cmd": self._generator_mode.at(at), "last_updated_by": "Envoy"}

    def sleeping(self, at: int) -> dict[str, Any]:
        """Return the AC Batteries that were told to sleep."""
        return {"acb_sleep": list(self._sleep.at(at).values())}

    def power_mode(self, at: int) -> dict[str, bool]:
        """Return whether the array is switched off."""
        off = self._power_off.at(at)
        if self._house.profile.version < (8, 3):
            return {"powerForcedOff": off}
        return {"powerForcedOff": off, "pvPowerForcedOff": off, "enchargePowerForcedOff": False}

    def set_storage(self, at: int, document: dict[str, Any] | None = None, **values: Any) -> None:
        """Let the battery controller use some of `mode`, `reserve`, `very_low` and `charge_from_grid`.

        With `document`, the tariff document becomes this one.
        """
        if document is not None:
            self._tariff.set(at, document)
        if values.get("mode") == "savings-mode":
            values["mode"] = ECONOMY
        if "no-grid-charging" in self._quirks:
            values.pop("charge_from_grid", None)
        allowed = values.get("charge_from_grid")
        if allowed is not None:
            self.grid_charging_allowed.set(at, allowed)
        if self._is_stuck and values.get("mode", self._house.orders(at).mode) != self._house.orders(at).mode:
            # Seen on 8.3.6086: a change of the mode lets the scheduler look again.
            self._is_stuck = False
            values["charge_from_grid"] = self.grid_charging_allowed.at(at)
        elif self._is_stuck:
            values.pop("charge_from_grid", None)
        if values:
            self._house.order(at, **values)

    def obey_cloud(self, at: int, **values: Any) -> None:
        """Use the storage settings of the cloud from a moment on; all four are given."""
        document = None
        if "local-writes-ignored" not in self._quirks:
            tariff = self._tariff.at(at)
            settings = {key: values[name] for name, key in _STORAGE.items()}
            document = {**tariff, "storage_settings": {**tariff["storage_settings"], **settings}}
        self.set_storage(at, document, **values)

    def _put_tariff(self, body: Any, at: int) -> Any:
        tariff = _object(body, "tariff")
        settings = dict(_object(tariff, "storage_settings"))
        if settings.get("mode") not in _MODES:
            raise ValueError("mode")
        low = _level(settings, "very_low_soc")
        reserve = max(_level(settings, "reserved_soc"), low)
        if "reserve-limited" in self._quirks:
            reserve = min(max(reserve, 10.0), 80.0)
        charge = settings.get("charge_from_grid") is True and "no-grid-charging" not in self._quirks
        settings |= {"reserved_soc": reserve, "charge_from_grid": charge, "date": str(at)}
        before = self._tariff.at(at)
        document = {**deepcopy(tariff), "storage_settings": settings}
        self._tariff.set(at, document)
        if "local-writes-ignored" not in self._quirks:
            self._apply(settings, at + STORAGE_LAG)
            self._house.order(at + STORAGE_LAG, prices=Prices.of(tariff))
        if "cloud-writes-back" in self._quirks:
            self._tariff.set(at + WRITE_BACK, before)
            if "local-writes-ignored" not in self._quirks:
                self._apply(before["storage_settings"], at + WRITE_BACK)
        return self.tariff(at)

    def _apply(self, settings: dict[str, Any], at: int) -> None:
        values = {name: settings[key] for name, key in _STORAGE.items()}
        if settings.get("opt_schedules"):
            del values["mode"]
        self.set_storage(at, **values)

    def _post_relay(self, body: Any, at: int) -> Any:
        wanted = body.get("mains_admin_state") if isinstance(body, dict) else None
        if wanted not in (OPEN, CLOSED):
            raise ValueError("mains_admin_state")
        house, slow = self._house, "slow-relay" in self._quirks
        now = house.orders(at)
        house.order(at, relay_asked=wanted)
        if now.on_grid is (wanted == CLOSED):
            # What had been on its way does not happen.
            house.order(at, relay=now.relay, panels=now.panels, closed=now.closed)
            house.order(at + DROPOUT, panels=True)
            return controller_answers.relay(house, at)
        moved = at + (SLOW_RELAY_LAGS if slow else RELAY_LAGS)[wanted]
        position = "open synchronizing" if slow and wanted == OPEN else wanted
        house.order(moved, relay=position, panels=False, closed=self._closed_by(wanted, moved))
        house.order(moved + DROPOUT, panels=True)
        if position != wanted:
            house.order(moved + DROPOUT, relay="open synchronized")
        return controller_answers.relay(house, at)

    def _closed_by(self, relay: str, at: int) -> frozenset[str]:
        """Return which dry contacts are closed once the main relay has moved: loads are shed and applied."""
        closed = self._house.orders(at).closed
        for contact, over_time in self._contacts.items():
            settings = over_time.at(at)
            # Seen on 8.3.6086: off grid, contacts of other types stay as they are.
            if settings["type"] != "LOAD" or settings["mode"] == "soc":
                continue
            if relay == OPEN and settings["micro_grid_action"] == "shed":
                closed -= {contact}
            elif relay == CLOSED and settings["grid_action"] == "apply" and contact.startswith("NC"):
                closed |= {contact}
        return closed

    def _post_contact(self, body: Any, at: int) -> Any:
        wanted = _object(body, "dry_contacts")
        contact, status = wanted.get("id"), wanted.get("status")
        if contact not in self._contacts or status not in (OPEN, CLOSED):
            raise ValueError("dry_contacts")
        closed = self._house.orders(at + CONTACT_LAG).closed
        changed = closed | {contact} if status == CLOSED else closed - {contact}
        self._house.order(at + CONTACT_LAG, closed=changed)
        return controller_answers.dry_contacts(self._house, at)

    def _post_contact_settings(self, body: Any, at: int) -> Any:
        wanted = _object(body, "dry_contacts")
        known = self._contacts.get(str(wanted.get("id")))
        # A part of the settings can crash a gateway.
        if known is None or not known.at(at).keys() <= wanted.keys():
            raise ValueError("dry_contacts")
        limits = {"soc_low": _level(wanted, "soc_low"), "soc_high": _level(wanted, "soc_high")}
        # The type is an installer's.
        known.set(at + CONTACT_LAG, {**wanted, **limits, "type": known.at(at)["type"]})
        by_charge = [
            (each["id"], each["soc_low"], each["soc_high"])
            for each in self.contact_settings(at + CONTACT_LAG)["dry_contacts"]
            if each["type"] == "LOAD" and each["mode"] == "soc"
        ]
        for_generator = [
            each["id"]
            for each in self.contact_settings(at + CONTACT_LAG)["dry_contacts"]
            if each["type"] == "LOAD" and each["gen_action"] == "shed"
        ]
        self._house.order(
            at + CONTACT_LAG, contact_limits=tuple(by_charge), generator_sheds=frozenset(for_generator)
        )
        if "contacts-read-open" in self._quirks:
            self._house.order(at, contacts_misread=True)
            self._house.order(at + MISREAD, contacts_misread=False)
        return self.contact_settings(at)

    def _post_generator_mode(self, body: Any, at: int) -> Any:
        mode = body.get("gen_cmd") if isinstance(body, dict) else None
        if mode not in ("off", "on", "auto"):
            raise ValueError("gen_cmd")
        self._generator_mode.set(at + GENERATOR_LAG, mode)
        self._house.order(at + GENERATOR_LAG, generator=mode)
        return {"gen_cmd": mode, "last_updated_by": "Envoy"}

    def _post_generator_config(self, body: Any, at: int) -> Any:
        known = self._generator_config.at(at)
        if not isinstance(body, dict) or not known.keys() <= body.keys():
            raise ValueError("gen_config")
        config = dict(body)
        if "generator-always-charges" in self._quirks:
            config["charge_from_generator"] = True
        self._generator_config.set(at, config)
        self._house.order(at + GENERATOR_LAG, charge_from_generator=config["charge_from_generator"])
        return config

    def _post_generator_schedule(self, body: Any, at: int) -> Any:
        known = self._generator_schedule.at(at)
        if not isinstance(body, dict) or not known.keys() <= body.keys():
            raise ValueError("gen_schedule")
        limits = _object(body, "default_soc")
        wanted = _level(limits, "start_soc"), _level(limits, "stop_soc")
        self._generator_schedule.set(at, dict(body))
        self._house.order(at, generator_limits=wanted)
        return body

    def _put_to_sleep(self, body: Any, at: int) -> Any:
        asleep = dict(self._sleep.at(at))
        for entry in self._sleepers(body):
            if not 0 <= _level(entry, "sleep_min_soc") <= _level(entry, "sleep_max_soc") <= 100:
                raise ValueError("sleep_min_soc")
            asleep[entry["serial_num"]] = entry
        return self._let_sleep(asleep, at)

    def _wake(self, body: Any, at: int) -> Any:
        awake = {entry["serial_num"] for entry in self._sleepers(body)}
        return self._let_sleep({name: e for name, e in self._sleep.at(at).items() if name not in awake}, at)

    def _sleepers(self, body: Any) -> list[dict[str, Any]]:
        entries = body.get("acb_sleep") if isinstance(body, dict) else None
        known = ac_battery_serials(self._house.profile)
        if not isinstance(entries, list) or any(entry.get("serial_num") not in known for entry in entries):
            raise ValueError("acb_sleep")
        return entries

    def _let_sleep(self, asleep: dict[str, dict[str, Any]], at: int) -> Any:
        self._sleep.set(at, asleep)
        levels = [(name, e["sleep_min_soc"], e["sleep_max_soc"]) for name, e in asleep.items()]
        self._house.order(at, told_to_sleep=tuple(levels))
        self._house.order(at + SLEEP_LAG, asleep=frozenset(asleep))
        return self.sleeping(at)

    def _put_power(self, body: Any, at: int) -> Any:
        wanted = body.get("arr") if isinstance(body, dict) else None
        if wanted not in ([0], [1]) or body.get("length") != 1:
            raise ValueError("arr")
        off = wanted == [1]
        self._power_off.set(at + 1, off)
        self._house.order(at + POWER_LAG, production=not off)
        if off and "cloud-writes-back" in self._quirks:
            self._power_off.set(at + WRITE_BACK, False)
            self._house.order(at + WRITE_BACK, production=True)
        return self.power_mode(at + 1)


def _object(body: Any, key: str) -> dict[str, Any]:
    found = body.get(key) if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise ValueError(key)  # noqa: TRY004 - the gateway rejects the value
    return found


def _level(settings: dict[str, Any], key: str) -> float:
    value = settings.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise ValueError(key)
    return value
