"""The commands of a gateway: change its settings and relays, and prove what became of each change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..exceptions import CommandError, CommandReason
from ..json_values import (
    boolean,
    identifier,
    integer,
    json_object,
    json_objects,
    nested_objects,
    number,
    printable,
    text,
)
from ..models.commands import Command, CommandResult, Evidence, Reason, Value
from ..models.ensemble import DryContact, is_closed
from . import tariff
from .proof import Observation, Timing, now
from .storage_control import StorageControl, given, one_of, require_level

if TYPE_CHECKING:
    from .gateway import Gateway

_RELAY = "/ivp/ensemble/relay"
_INVENTORY = "/ivp/ensemble/inventory"
_CONTACTS = "/ivp/ensemble/dry_contacts"
_CONTACT_SETTINGS = "/ivp/ss/dry_contact_settings"
_GENERATOR = "/ivp/ss/gen_mode"
_GENERATOR_CONFIG = "/ivp/ss/gen_config"
_AC_BATTERIES = "/admin/lib/acb_config"
_DEVICES = "/inventory.json"
#: The whole array; a gateway rejects the number of a single microinverter.
_PRODUCTION = "/ivp/mod/603980032/mode/power"

GENERATOR_MODES = ("off", "on", "auto")
CONTACT_ACTIONS = ("apply", "shed", "schedule", "none")
CONTACT_MODES = ("manual", "soc")


class Control(StorageControl):
    """The commands of a gateway, one at a time: use `Gateway.control`.

    Each `set_...` sends a command and returns its first proof, after some seconds: HELD, or PENDING. A minute
    after the command, `confirm` returns the second proof, which is final. Keys of `CommandResult`: the
    parameters' names.

    Nothing is sent if a device is missing or a value invalid (CommandError), or if the document to change
    cannot be read. Raises NotAllowedError if the token's role may not do this; CommunicationError if the
    gateway did not answer a command and does not report what was requested; else as `Gateway.api_call` does.
    """

    def __init__(self, gateway: Gateway, timing: Timing | None = None) -> None:
        super().__init__(gateway, timing)
        self._contacts_settled_at = 0.0
        #: Serial numbers, as of the latest reading of the slow list of devices.
        self._known_ac_batteries: frozenset[str] = frozenset()

    @property
    def are_contacts_settling(self) -> bool:
        """Whether NC contacts may be reported as open although they are closed."""
        return self._seconds_to_settled() > 0

    def believe(self, contact: DryContact) -> DryContact:
        """Return a dry contact; without its status, if that may be wrong."""
        is_open = contact.id.startswith("NC") and contact.status == "open"
        return replace(contact, status=None) if is_open and self.are_contacts_settling else contact

    async def generator_mode(self) -> str | None:
        """Return the mode of the generator: "off", "on" or "auto"; None without a generator."""
        answer = await self._gateway.optional_call(_GENERATOR)
        return None if answer is None else text(json_object(answer, _GENERATOR), "gen_cmd")

    async def generator_charging(self) -> bool | None:
        """Return whether the generator may charge the batteries; None without a generator."""
        answer = await self._gateway.optional_call(_GENERATOR_CONFIG)
        return (
            None
            if answer is None
            else boolean(json_object(answer, _GENERATOR_CONFIG), "charge_from_generator")
        )

    async def ac_battery_levels(self) -> dict[str, tuple[int, int]]:
        """Return the levels (%) between which each AC Battery sleeps if told to, by serial number.

        They are in /inventory.json only, which takes a gateway seconds.
        """
        found = {}
        for serial_number, device in (await self._ac_batteries()).items():
            low, high = (integer(device, f"sleep_{name}_soc", 0, 100) for name in ("min", "max"))
            if low is not None and high is not None:
                found[serial_number] = low, high
        return found

    async def sleeping_ac_batteries(self) -> frozenset[str]:
        """Return the serial numbers of the AC Batteries that are told to sleep."""
        answer = json_object(await self._gateway.api_call(_AC_BATTERIES), _AC_BATTERIES)
        numbers = (identifier(each, "serial_num") for each in nested_objects(answer, "acb_sleep"))
        return frozenset(number for number in numbers if number is not None)

    async def is_production_on(self) -> bool | None:
        """Return whether the array is switched on; None if unknown. This needs an installer's token."""
        answer = json_object(await self._gateway.api_call(_PRODUCTION), _PRODUCTION)
        states = [boolean(answer, key) for key in ("powerForcedOff", "pvPowerForcedOff")]
        known = [state for state in states if state is not None]
        return not any(known) if known else None

    async def set_grid_connection(self, connected: bool) -> CommandResult:
        """Open or close the System Controller's relay to the grid; this takes up to half a minute.

        While it opens, the microinverters stop for about a minute. Off grid, a network that fails with the
        power cannot be used to come back.
        """

        async def send() -> None:
            await self._write(_RELAY, "POST", {"mains_admin_state": "closed" if connected else "open"})

        await self._require_controller()
        return await self._run(
            Command.GRID_CONNECTION,
            {"connected": connected},
            send=send,
            observe=self._observe_relay,
            within=self.timing.relay,
        )

    async def set_dry_contact(self, contact: str, closed: bool) -> CommandResult:
        """Open or close a dry contact, such as "NC1"."""

        async def send() -> None:
            body = {"id": contact, "status": "closed" if closed else "open"}
            await self._write(_CONTACTS, "POST", {"dry_contacts": body})

        observe = partial(self._observe_contact, contact)
        return await self._run(
            Command.DRY_CONTACT, {"closed": closed}, send=send, observe=observe, device=contact
        )

    async def set_dry_contact_settings(
        self,
        contact: str,
        *,
        mode: str | None = None,
        soc_low: float | None = None,
        soc_high: float | None = None,
        grid_action: str | None = None,
        micro_grid_action: str | None = None,
        gen_action: str | None = None,
        load_name: str | None = None,
    ) -> CommandResult:
        """Change when a dry contact opens and closes; None: unchanged.

        `mode`: "manual" or "soc" (by the batteries' charge: it opens below `soc_low` %, and closes above
        `soc_high` %). The actions on the grid, off grid and with a generator: "apply", "shed", "schedule" or
        "none". See `are_contacts_settling` for what follows.
        """
        requested = given(
            mode=None if mode is None else one_of("mode", mode, CONTACT_MODES),
            soc_low=soc_low,
            soc_high=soc_high,
            grid_action=grid_action,
            micro_grid_action=micro_grid_action,
            gen_action=gen_action,
            load_name=load_name,
        )
        for name in ("grid_action", "micro_grid_action", "gen_action"):
            if name in requested:
                one_of(name, requested[name], CONTACT_ACTIONS)
        for name in ("soc_low", "soc_high"):
            require_level(name, requested.get(name))

        async def send() -> None:
            settings = _find(await self._gateway.api_call(_CONTACT_SETTINGS), _CONTACT_SETTINGS, contact)
            changed = dict(settings)
            for name, value in requested.items():
                changed[name] = tariff.in_form_of(settings.get(name), value)
            low, high = number(changed, "soc_low"), number(changed, "soc_high")
            if low is not None and high is not None and low >= high:
                raise CommandError(
                    f"soc_low ({low:g} %) must be below soc_high ({high:g} %)",
                    CommandReason.LOW_ABOVE_HIGH,
                    low=low,
                    high=high,
                )
            self._contacts_settled_at = now() + self.timing.contacts
            await self._write(_CONTACT_SETTINGS, "POST", {"dry_contacts": changed})

        observe = partial(self._observe_contact_settings, contact)
        return await self._run(
            Command.DRY_CONTACT_SETTINGS, requested, send=send, observe=observe, device=contact
        )

    async def set_generator(self, mode: str) -> CommandResult:
        """Switch the generator "off", "on" or to "auto"."""
        one_of("mode", mode, GENERATOR_MODES)

        async def send() -> None:
            await self._write(_GENERATOR, "POST", {"gen_cmd": mode})

        return await self._run(Command.GENERATOR, {"mode": mode}, send=send, observe=self._observe_generator)

    async def set_generator_charging(self, allowed: bool) -> CommandResult:
        """Allow the generator to charge the batteries, or not.

        Without IQ Batteries, a gateway allows it again at once (seen on 8.3.5169).
        """

        async def send() -> None:
            config = json_object(await self._gateway.api_call(_GENERATOR_CONFIG), _GENERATOR_CONFIG)
            await self._write(_GENERATOR_CONFIG, "POST", {**config, "charge_from_generator": allowed})

        return await self._run(
            Command.GENERATOR_CHARGING, {"allowed": allowed}, send=send, observe=self._observe_charging
        )

    async def set_ac_battery_sleep(
        self, serial_number: str, *, min_soc: int | None = None, max_soc: int | None = None
    ) -> CommandResult:
        """Let an AC Battery sleep once its charge is between two levels (%); without levels, wake it."""
        if (min_soc is None) is not (max_soc is None):
            raise CommandError("an AC Battery sleeps between two levels: both are needed, or none to wake it")
        requested: dict[str, Value] = {"sleep": min_soc is not None}
        requested |= given(min_soc=min_soc, max_soc=max_soc) if min_soc is not None else {}
        for name in ("min_soc", "max_soc"):
            require_level(name, requested.get(name))
        if min_soc is not None and max_soc is not None and min_soc > max_soc:
            raise CommandError(
                f"min_soc ({min_soc} %) must not be above max_soc ({max_soc} %)",
                CommandReason.LOW_ABOVE_HIGH,
                low=min_soc,
                high=max_soc,
            )

        async def send() -> None:
            if min_soc is None:
                body = {"acb_sleep": [{"serial_num": serial_number}]}
                await self._write(_AC_BATTERIES, "DELETE", body)
                return
            entry = {"serial_num": serial_number, "sleep_min_soc": min_soc, "sleep_max_soc": max_soc}
            answer = json_object(await self._gateway.api_call(_AC_BATTERIES), _AC_BATTERIES)
            # The other batteries' entries are sent as they are.
            others = [each for each in nested_objects(answer, "acb_sleep") if not _is_of(each, serial_number)]
            await self._write(_AC_BATTERIES, "PUT", {"acb_sleep": [*others, entry]})

        is_known = serial_number in self._known_ac_batteries
        if not is_known and serial_number not in await self._ac_batteries():
            raise CommandError(
                f"this gateway has no AC Battery {printable(serial_number)}", CommandReason.NO_DEVICE
            )
        observe = partial(self._observe_sleep, serial_number)
        return await self._run(
            Command.AC_BATTERY_SLEEP, requested, send=send, observe=observe, device=serial_number
        )

    async def set_production(self, on: bool) -> CommandResult:
        """Switch the whole array on or off; this needs an installer's token.

        Enphase's cloud switches it on again within the hour.
        """

        async def send() -> None:
            text_of_command = f'{{"length":1,"arr":[{0 if on else 1}]}}'
            await self._write(_PRODUCTION, "PUT", text_of_command)

        return await self._run(Command.PRODUCTION, {"on": on}, send=send, observe=self._observe_production)

    def _seconds_to_final(self, result: CommandResult) -> float:
        seconds = super()._seconds_to_final(result)
        is_contact = result.command is Command.DRY_CONTACT
        return max(seconds, self._seconds_to_settled()) if is_contact else seconds

    def _seconds_to_settled(self) -> float:
        return self._contacts_settled_at - now()

    async def _ac_batteries(self) -> dict[str, Mapping[str, Any]]:
        """Return what the slow /inventory.json has of each AC Battery, by serial number."""
        groups = json_objects(await self._gateway.optional_call(_DEVICES) or [], _DEVICES)
        found = {
            serial_number: device
            for group in groups
            if text(group, "type") == "ACB"
            for device in nested_objects(group, "devices")
            if (serial_number := identifier(device, "serial_num")) is not None
        }
        self._known_ac_batteries = frozenset(found)
        return found

    async def _require_controller(self) -> None:
        devices = await self._gateway.optional_call(_INVENTORY)
        groups = devices if isinstance(devices, list) else []
        known = [group for group in groups if isinstance(group, dict) and group.get("type") == "ENPOWER"]
        if not any(group.get("devices") for group in known):
            raise CommandError(
                "this gateway has no System Controller, which disconnects from the grid",
                CommandReason.NO_CONTROLLER,
            )

    async def _observe_relay(self) -> Observation:
        relay = await self._gateway.relay()
        return Observation({"connected": None if relay is None else relay.is_on_grid})

    async def _observe_contact(self, contact: str) -> Observation:
        entry = _find(await self._gateway.optional_call(_CONTACTS), _CONTACTS, contact)
        closed = is_closed(text(entry, "status"))
        if closed is False and contact.startswith("NC") and self.are_contacts_settling:
            return Observation({"closed": None}, explain=_explain_settling)
        return Observation({"closed": closed})

    async def _observe_contact_settings(self, contact: str) -> Observation:
        settings = _find(await self._gateway.optional_call(_CONTACT_SETTINGS), _CONTACT_SETTINGS, contact)
        values = {
            name: value
            for name, value in settings.items()
            if value is None or isinstance(value, str | int | float)
        }
        return Observation(values, _by_document)

    async def _observe_generator(self) -> Observation:
        mode = await self.generator_mode()
        if mode is None:
            raise CommandError("this gateway has no generator", CommandReason.NO_GENERATOR)
        return Observation({"mode": mode})

    async def _observe_charging(self) -> Observation:
        allowed = await self.generator_charging()
        if allowed is None:
            raise CommandError("this gateway has no generator", CommandReason.NO_GENERATOR)
        return Observation({"allowed": allowed}, _by_document)

    async def _observe_sleep(self, serial_number: str) -> Observation:
        answer = json_object(await self._gateway.api_call(_AC_BATTERIES), _AC_BATTERIES)
        for entry in nested_objects(answer, "acb_sleep"):
            if _is_of(entry, serial_number):
                levels = {key: number(entry, f"sleep_{key}") for key in ("min_soc", "max_soc")}
                return Observation({"sleep": True, **levels}, _by_document)
        return Observation({"sleep": False}, _by_document)

    async def _observe_production(self) -> Observation:
        return Observation({"on": await self.is_production_on()})


def _by_document(_: CommandResult) -> Evidence:
    return Evidence.DOCUMENT


def _explain_settling(result: CommandResult) -> Reason | None:
    return Reason.CONTACTS_SETTLE if result.missing else None


def _find(answer: object, path: str, contact: str) -> Mapping[str, Any]:
    """Return the entry of a dry contact. Raises CommandError without one."""
    for each in [] if answer is None else nested_objects(json_object(answer, path), "dry_contacts"):
        if each.get("id") == contact:
            return each
    raise CommandError(f"this gateway has no dry contact {printable(contact)}", CommandReason.NO_DRY_CONTACT)


def _is_of(entry: Mapping[str, Any], serial_number: str) -> bool:
    return identifier(entry, "serial_num") == serial_number
