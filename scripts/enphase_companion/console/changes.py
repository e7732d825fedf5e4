"""Change a setting of the gateway: parse `--set`, ask, send one command, and report what became of it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from enphase_api import NotAllowedError, SeveralSitesError
from enphase_api.cloud import AUTHENTICATION_HOST, ENLIGHTEN_HOST, BatteryCloud
from enphase_api.json_values import printable
from enphase_api.local.control import CONTACT_ACTIONS, CONTACT_MODES, GENERATOR_MODES, Control
from enphase_api.models import CommandResult, Evidence, Outcome, Reason, StorageMode, Value, Way

from ..config.settings import Settings
from ..gateway.connection import open_gateway
from ..runtime.errors import CommandError, SettingsError

#: Seconds between two looks at a command that the cloud still has to confirm.
_LOOK_AGAIN = 60

_SWITCH = {"on": True, "off": False}
_CONTACT = {"closed": True, "open": False}

#: By key of `--set` of the batteries: the parameter of `Control.set_storage`.
_STORAGE = {
    "battery-mode": "mode",
    "reserve": "reserve",
    "shutdown-level": "shutdown_level",
    "charge-from-grid": "charge_from_grid",
}

#: By the last part of a key such as NC1.soc-low: the parameter of `Control.set_dry_contact_settings`.
_CONTACT_SETTINGS = {
    "mode": "mode",
    "soc-low": "soc_low",
    "soc-high": "soc_high",
    "grid-action": "grid_action",
    "off-grid-action": "micro_grid_action",
    "generator-action": "gen_action",
}

#: By key of what is on or off: the key of the result, and the method that switches it.
_SWITCHES = {
    "grid": ("connected", Control.set_grid_connection),
    "generator-charging": ("allowed", Control.set_generator_charging),
    "production": ("on", Control.set_production),
}

#: Before the serial number of an AC Battery.
_SLEEP = "sleep."

_KEYS = (
    f"{', '.join(_STORAGE)}, grid, generator, generator-charging, production, a dry contact such as NC1, its "
    "setting such as NC1.soc-low, sleep. and the serial number of an AC Battery"
)

#: What to know before a command is sent, by the first key.
_WARNINGS = {
    ("grid", False): (
        "The house will run on its batteries alone: panels drop out for about a minute, and what the\n"
        "batteries cannot carry stays without power. If your network loses power, you cannot come back from\n"
        "afar."
    ),
    ("production", False): "The whole array stops, until it is switched on again or Enphase's cloud does so.",
}

#: What helps, by the reason of an outcome.
_ADVICE = {
    Reason.OPTIMIZED_SCHEDULES: "Enphase's schedules replace the mode: end them in the Enphase app",
    Reason.LOCAL_WRITES_IGNORED: (
        "the gateway stores the setting, but its battery controller does not use it: repeat the command with "
        "--cloud"
    ),
    Reason.NOT_STORED: (
        "the gateway did not store it: the site's grid profile may not allow it, or another program has set "
        "another value at the same time"
    ),
    Reason.REWRITTEN: (
        "Enphase's cloud or another program has written other settings: repeat the command; if it is taken "
        "back again, change them in the Enphase app, or use --cloud"
    ),
    Reason.STUCK_SCHEDULER: (
        "charging is allowed, but the scheduler does not charge: change the battery mode and back"
    ),
    Reason.FULL_RESERVE: "in mode backup everything is kept; this reserve counts in the other modes",
    Reason.CLOUD_PENDING: "the cloud waits for the gateway, which takes up to 15 minutes",
    Reason.CONTACTS_SETTLE: "after a change of settings, contacts read as open for up to 90 seconds",
}


@dataclass(frozen=True)
class Change:
    """One command, by the user's words."""

    #: By key of `--set`, the value as it was given.
    given: Mapping[str, str]
    #: By key of the result, that of `--set`.
    names: Mapping[str, str]
    send: Callable[[Control, BatteryCloud | None], Awaitable[CommandResult]]
    warning: str | None = None
    #: Whether it can go through the cloud.
    is_of_batteries: bool = False

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Change:
        """Parse the texts of `--set`. Raises SettingsError if they are not one command."""
        given: dict[str, str] = {}
        for text in texts:
            key, separator, value = (part.strip() for part in text.partition("="))
            if not separator or not key or not value:
                raise SettingsError(
                    f"--set {printable(text)}: use a key and a value, such as battery-mode=backup"
                )
            if key in given:
                raise SettingsError(f"--set {printable(key)}: is given twice")
            given[key] = value
        if given.keys() <= _STORAGE.keys():
            return cls._of_batteries(given)
        contacts = {key.partition(".")[0] for key in given}
        if len(contacts) == 1 and all("." in key and not key.startswith(_SLEEP) for key in given):
            return cls._of_contact_settings(given, next(iter(contacts)))
        if len(given) > 1:
            raise SettingsError(
                "--set: one command at a time: only settings of the batteries, or those of one dry contact, "
                "can be combined"
            )
        (key, value), *_ = given.items()
        return cls._of_one(key, value)

    @classmethod
    def _of_batteries(cls, given: Mapping[str, str]) -> Change:
        values: dict[str, Any] = {}
        for key, text in given.items():
            match key:
                case "battery-mode":
                    values["mode"] = _choose(key, text, {mode.value: mode for mode in StorageMode})
                case "charge-from-grid":
                    values["charge_from_grid"] = _choose(key, text, _SWITCH)
                case _:
                    values[_STORAGE[key]] = _parse_level(key, text)

        async def send(control: Control, cloud: BatteryCloud | None) -> CommandResult:
            return await control.set_storage(**values, cloud=cloud)

        names = {parameter: key for key, parameter in _STORAGE.items()}
        return cls(given, names, send, is_of_batteries=True)

    @classmethod
    def _of_contact_settings(cls, given: Mapping[str, str], contact: str) -> Change:
        values: dict[str, Any] = {}
        names: dict[str, str] = {}
        for key, text in given.items():
            setting = key.partition(".")[2]
            if setting not in _CONTACT_SETTINGS:
                raise SettingsError(
                    f"--set {printable(key)}: unknown; a dry contact has {', '.join(_CONTACT_SETTINGS)}"
                )
            parameter = _CONTACT_SETTINGS[setting]
            names[parameter] = key
            if setting.startswith("soc-"):
                values[parameter] = _parse_level(key, text)
            else:
                known = CONTACT_MODES if setting == "mode" else CONTACT_ACTIONS
                values[parameter] = _choose(key, text, {each: each for each in known})

        async def send(control: Control, _: BatteryCloud | None) -> CommandResult:
            return await control.set_dry_contact_settings(contact, **values)

        return cls(given, names, send)

    @classmethod
    def _of_one(cls, key: str, text: str) -> Change:
        match key:
            case "grid" | "generator-charging" | "production":
                on = _choose(key, text, _SWITCH)
                warning = _WARNINGS.get((key, on))
                name, method = _SWITCHES[key]

                async def switch(control: Control, _: BatteryCloud | None) -> CommandResult:
                    return await method(control, on)

                return cls({key: text}, {name: key}, switch, warning)
            case "generator":
                mode = _choose(key, text, {each: each for each in GENERATOR_MODES})

                async def set_generator(control: Control, _: BatteryCloud | None) -> CommandResult:
                    return await control.set_generator(mode)

                return cls({key: text}, {"mode": key}, set_generator)
        if key.startswith(_SLEEP):
            return cls._of_ac_battery(key, text)
        if not re.fullmatch(r"N[CO]\d", key):
            raise SettingsError(f"--set {printable(key)}: unknown: use {_KEYS}")
        closed = _choose(key, text, _CONTACT)

        async def set_contact(control: Control, _: BatteryCloud | None) -> CommandResult:
            return await control.set_dry_contact(key, closed)

        return cls({key: text}, {"closed": key}, set_contact)

    @classmethod
    def _of_ac_battery(cls, key: str, text: str) -> Change:
        low, separator, high = text.partition("-")
        levels: dict[str, int] = {}
        if text != "off":
            if not separator:
                raise SettingsError(f"--set {printable(key)}: use two levels such as 5-10, or off")
            levels = {"min_soc": round(_parse_level(key, low)), "max_soc": round(_parse_level(key, high))}

        async def let_sleep(control: Control, _: BatteryCloud | None) -> CommandResult:
            return await control.set_ac_battery_sleep(key.removeprefix(_SLEEP), **levels)

        names = {"sleep": key, "min_soc": "soc from", "max_soc": "soc to"}
        return cls({key: text}, names, let_sleep)

    def describe(self, key: str, value: Value) -> str:
        """Return a value of the result by the words of `--set`."""
        name = self.names.get(key, key)
        if value is None:
            return "unknown"
        if key == "closed":
            return "closed" if value else "open"
        if isinstance(value, bool):
            return "on" if value else "off"
        if isinstance(value, int | float):
            return f"{value:g} %" if "soc" in name or name in ("reserve", "shutdown-level") else f"{value:g}"
        return printable(value)

    def name(self, key: str) -> str:
        """Return the name of a key of the result."""
        return self.names.get(key, key)


def change(settings: Settings, wanted: Change, *, yes: bool, cloud: bool, as_json: bool) -> int:
    """Ask, send the command, and report it; return 0 if it held, else 1.

    Raises SettingsError if the cloud is wanted without an account; else as `open_gateway` does.
    """
    from ..runtime.service import run_once  # noqa: PLC0415 - as the other commands do

    if cloud and not settings.has_account:
        raise SettingsError(
            f"{settings.in_file('enphase_password')}: --cloud needs enphase_username and enphase_password"
        )
    if cloud and not wanted.is_of_batteries:
        raise SettingsError("--cloud: only settings of the batteries can be changed through the cloud")
    if not yes:
        listed = ", ".join(f"{key} = {value}" for key, value in wanted.given.items())
        print(f"To change at {settings.gateway_host}: {listed}")
        if wanted.warning is not None:
            print(wanted.warning)
        if not _confirm():
            print("Nothing was sent.")
            return 1
    try:
        result = run_once(_send(settings, wanted, cloud=cloud, as_json=as_json))
    except SeveralSitesError as error:
        raise SettingsError(f"{settings.where('enphase_site')}: {error}") from error
    except NotAllowedError as error:
        if cloud:
            raise
        raise CommandError(f"{error}: your installer may be able to do it") from error
    if as_json:
        print(json.dumps(result.as_dict(), indent=2, ensure_ascii=False))
    return 0 if result.outcome is Outcome.HELD else 1


async def _send(settings: Settings, wanted: Change, *, cloud: bool, as_json: bool) -> CommandResult:
    say = _be_silent if as_json else partial(print, flush=True)
    async with AsyncExitStack() as stack:
        gateway, info = await stack.enter_async_context(open_gateway(settings))
        account = None
        if cloud:
            host = ENLIGHTEN_HOST if settings.entrez_host == AUTHENTICATION_HOST else settings.entrez_host
            username, password = settings.enphase_username or "", settings.enphase_password or ""
            account = await stack.enter_async_context(
                BatteryCloud(
                    username, password, host=host, gateway=info.serial_number, site=settings.enphase_site
                )
            )
        control, result = gateway.control, None
        try:
            result = await wanted.send(control, account)
            say(_report(wanted, result))
            say(f"Reading it again {control.timing.second:g} seconds after the command ...")
            result = await control.confirm(result)
            while not result.is_final:
                say(_report(wanted, result))
                await asyncio.sleep(min(_LOOK_AGAIN, control.timing.second))
                result = await control.confirm(result)
        except asyncio.CancelledError:
            say(_report_interruption(wanted, result, control.interrupted))
            raise
    say(_report(wanted, result))
    return result


def _be_silent(_: str) -> None:
    """Print nothing: stdout has one JSON document."""


def _report(wanted: Change, result: CommandResult) -> str:
    """Return what became of a command, in sentences."""
    states = ", ".join(f"{wanted.name(key)} is {_change_of(wanted, result, key)}" for key in result.requested)
    way = " (through Enphase's cloud)" if result.way is Way.CLOUD else ""
    opening = {
        Outcome.HELD: "Held" if result.is_final else "Done",
        Outcome.PENDING: "Not confirmed yet",
        Outcome.IGNORED: "Ignored",
        Outcome.REFUSED: "Refused",
        Outcome.TAKEN_BACK: "Taken back",
    }[result.outcome]
    lines = [f"{opening}{way}: {states}."]
    if result.evidence is not Evidence.DEVICE and result.outcome is Outcome.HELD:
        known = "the gateway's document" if result.evidence is Evidence.DOCUMENT else "Enphase's cloud"
        lines.append(f"Known from {known}: no device reports it.")
    if result.reason is not None:
        lines.append(f"{_ADVICE[result.reason][0].upper()}{_ADVICE[result.reason][1:]}.")
    if result.also_changed:
        also = ", ".join(
            f"{wanted.name(key)} from {wanted.describe(key, before)} to {wanted.describe(key, after)}"
            for key, (before, after) in result.also_changed.items()
        )
        lines.append(f"Also changed: {also}.")
    return "\n".join(lines)


def _change_of(wanted: Change, result: CommandResult, key: str) -> str:
    now, before = (wanted.describe(key, values.get(key)) for values in (result.after, result.before))
    return f"{now} (before: {before})" if now != before else f"{now}, as before"


def _report_interruption(
    wanted: Change, result: CommandResult | None, interrupted: CommandResult | None
) -> str:
    """Return what is known of a command when Ctrl-C ends the program."""
    if result is not None:
        return f"\nInterrupted before the second look. {_report(wanted, result)}"
    if interrupted is None:
        return "\nInterrupted: nothing was sent."
    before = ", ".join(
        f"{wanted.name(key)} was {wanted.describe(key, interrupted.before.get(key))}"
        for key in interrupted.requested
    )
    return f"\nInterrupted: the command was sent, but not confirmed yet; before, {before}."


def _choose(key: str, text: str, known: Mapping[str, Any]) -> Any:
    """Return what a text stands for. Raises SettingsError if it is unknown."""
    if text not in known:
        raise SettingsError(f"--set {key}={printable(text)}: use {' or '.join(known)}")
    return known[text]


def _parse_level(key: str, text: str) -> float:
    try:
        level = float(text.removesuffix("%").strip())
    except ValueError:
        level = -1
    if not 0 <= level <= 100:
        raise SettingsError(f"--set {key}={printable(text)}: use a percentage from 0 to 100")
    return level


def _confirm() -> bool:
    try:
        return input("Type yes to send it: ").strip().lower() == "yes"
    except EOFError:
        print()
        return False
