"""Commands: sent one at a time, proven after seconds and after a minute, reported if they did not hold."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from homeassistant.core import callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util

from .const import DOMAIN, LOGGER
from .data import GatewayData
from .endpoints import Endpoint
from .enphase_api import (
    AuthenticationError,
    CertificateChangedError,
    CommandError,
    CommunicationError,
    EnphaseError,
    InvalidAnswerError,
    MultiFactorError,
    NotAllowedError,
    ResponseError,
)
from .enphase_api.cloud import BatteryCloud
from .enphase_api.local.control import Control
from .enphase_api.models import Command, CommandResult, Outcome, Reason, Value
from .enphase_api.models.storage import is_same
from .error_handling import error_key, error_placeholders
from .helpers import COMMAND_ENTITIES, async_describe_values
from .issues import async_create_command_issue, async_delete_command_issue, command_issues

if TYPE_CHECKING:
    from .coordinator import GatewayCoordinator

#: Translation keys of the errors of commands; the first match counts.
COMMAND_ERRORS: dict[type[EnphaseError], str] = {
    CertificateChangedError: "certificate_changed",
    NotAllowedError: "command_forbidden",
    AuthenticationError: "token_rejected",
    CommunicationError: "command_no_response",
    InvalidAnswerError: "call_invalid_response",
    ResponseError: "command_rejected",
    EnphaseError: "command_failed",
}

#: Those of Enphase's cloud.
CLOUD_COMMAND_ERRORS: dict[type[EnphaseError], str] = {
    MultiFactorError: "cloud_mfa_required",
    NotAllowedError: "cloud_forbidden",
    AuthenticationError: "cloud_rejected",
    EnphaseError: "cloud_unavailable",
}

#: Seconds between two checks whether Enphase's cloud has a new mode.
_CLOUD_INTERVAL = 120

#: How long to watch whether a command that held is taken back, as Enphase's cloud does within the hour.
_WATCH_TIME = timedelta(hours=2)

#: The endpoint that reports what a command changes.
ENDPOINTS = {
    Command.STORAGE: Endpoint.STORAGE,
    Command.GRID_CONNECTION: Endpoint.BATTERIES,
    Command.DRY_CONTACT: Endpoint.DRY_CONTACTS,
    Command.DRY_CONTACT_SETTINGS: Endpoint.DRY_CONTACTS,
    Command.GENERATOR: Endpoint.GENERATOR_MODE,
    Command.GENERATOR_CHARGING: Endpoint.GENERATOR_MODE,
    Command.PRODUCTION: Endpoint.PRODUCTION_SWITCH,
    Command.AC_BATTERY_SLEEP: Endpoint.AC_BATTERY_SLEEP,
}

#: Another endpoint, of sensors, that reports some of it too: the reserve, and whether the generator runs.
_OF_SENSORS = {Command.STORAGE: Endpoint.BATTERIES, Command.GENERATOR: Endpoint.GENERATOR}

#: By name of a value of a dry contact, its field, where that has another name.
_CONTACT_FIELDS = {"closed": "is_closed", "gen_action": "generator_action"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What an entity shows and changes: one of the values of a command."""

    command: Command
    #: The key in `CommandResult`.
    name: str
    #: The dry contact or the battery's serial number; None for the whole site.
    device: str | None = None

    def reported(self, data: GatewayData) -> Value:
        """Return the value that the gateway reports; None if unknown."""
        value: Value
        match self.command:
            case Command.STORAGE:
                value = None if data.storage is None else getattr(data.storage, self.name)
            case Command.GRID_CONNECTION:
                value = None if data.listed_batteries is None else data.listed_batteries.grid_connected
            case Command.DRY_CONTACT | Command.DRY_CONTACT_SETTINGS:
                contact = next((each for each in data.dry_contacts if each.id == self.device), None)
                value = (
                    None if contact is None else getattr(contact, _CONTACT_FIELDS.get(self.name, self.name))
                )
            case Command.GENERATOR:
                value = data.generator_mode
            case Command.GENERATOR_CHARGING:
                value = data.generator_charging
            case Command.PRODUCTION:
                value = data.production_switch
            case Command.AC_BATTERY_SLEEP:
                # An issue from before a restart has the last digits of the serial number.
                sleeping = (data.ac_battery_sleep or {}).items()
                value = next((value for number, value in sleeping if number.endswith(str(self.device))), None)
        return value


class CommandRunner:
    """Send the commands of a gateway, and follow them until they are proven."""

    def __init__(self, coordinator: GatewayCoordinator) -> None:
        self._coordinator = coordinator
        #: The values that are on their way, each with the identity of its command.
        self._pending: dict[Setting, tuple[Value, object]] = {}
        #: The latest requested value of each setting.
        self._requested: dict[Setting, Value] = {}
        #: The latest command of each kind and device: only its proof counts.
        self._latest: dict[tuple[Command, str | None], object] = {}
        #: By command and device that has an issue: the values that resolve it.
        self._expected = command_issues(coordinator.hass, coordinator.config_entry)
        #: The latest command of each kind and device that held, and until when it may be taken back.
        self._held: dict[tuple[Command, str | None], tuple[CommandResult, datetime]] = {}

    @callback
    def async_check(self) -> None:
        """Delete issues of commands that hold by now, and create those of commands that were taken back."""
        self._delete_resolved_issues()
        now = dt_util.utcnow()
        for key, (result, until) in list(self._held.items()):
            reported = {
                name: Setting(command=result.command, name=name, device=result.device).reported(
                    self._coordinator.data
                )
                for name, value in result.requested.items()
                if (result.command, name) in COMMAND_ENTITIES and not is_same(value, result.before.get(name))
            }
            if now >= until:
                del self._held[key]
            elif reported and all(
                value is not None and is_same(value, result.before.get(name))
                for name, value in reported.items()
            ):
                del self._held[key]
                taken_back = replace(
                    result, outcome=Outcome.TAKEN_BACK, reason=None, after={**result.after, **reported}
                )
                self._coordinator.config_entry.async_create_background_task(
                    self._coordinator.hass,
                    self._create_issue(taken_back, {}),
                    f"{self._coordinator.name} issue",
                )

    @callback
    def _delete_resolved_issues(self) -> None:
        for (command, device), expected in list(self._expected.items()):
            reported = (
                Setting(command=command, name=name, device=device).reported(self._coordinator.data)
                for name in expected
            )
            if expected and all(map(is_same, expected.values(), reported, strict=True)):
                self._delete_issue(command, device)

    @callback
    def _delete_issue(self, command: Command, device: str | None) -> None:
        self._expected.pop((command, device), None)
        async_delete_command_issue(self._coordinator.hass, self._coordinator.config_entry, command, device)

    def pending(self, setting: Setting) -> Value:
        """Return the value that is on its way; None if there is none."""
        return self._pending.get(setting, (None, None))[0]

    async def async_send(
        self,
        command: Command,
        requested: Mapping[str, Value],
        device: str | None = None,
        *,
        final: bool = False,
    ) -> CommandResult:
        """Send a command and return its first proof, after some seconds; or, if `final`, that after a minute.

        Raises HomeAssistantError if it was not sent, or the gateway did not accept it.
        """
        coordinator = self._coordinator
        if not coordinator.allows_changes:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="changes_not_allowed",
                translation_placeholders={"name": coordinator.config_entry.title},
            )
        # A task of its own: an automation that is stopped does not leave a command without its proof.
        first = coordinator.config_entry.async_create_background_task(
            coordinator.hass, self._send(command, requested, device), f"{coordinator.name} command"
        )
        try:
            result, second = await asyncio.shield(first)
            return await asyncio.shield(second) if final else result
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # The entry is unloaded, which has cancelled the command and not its caller.
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="command_interrupted",
                translation_placeholders={"name": coordinator.config_entry.title},
            ) from None

    async def _send(
        self, command: Command, requested: Mapping[str, Value], device: str | None
    ) -> tuple[CommandResult, asyncio.Task[CommandResult]]:
        coordinator, command_id = self._coordinator, object()
        self._latest[command, device] = command_id
        self._held.pop((command, device), None)
        settings = {
            Setting(command=command, name=name, device=device): value for name, value in requested.items()
        }
        self._requested |= settings
        self._pending |= {setting: (value, command_id) for setting, value in settings.items()}
        coordinator.async_update_listeners()
        try:
            result = await _send_command(
                coordinator.gateway.control, coordinator.cloud, command, requested, device
            )
        except EnphaseError as error:
            self._clear(command_id)
            raise self._error(error) from error
        finally:
            # The gateway may have accepted a command whose response was lost.
            await self._poll(command)
        LOGGER.debug("%s: command %s: %s", coordinator.name, command, result.outcome)
        if result.outcome is Outcome.HELD:
            self._clear(command_id)
        second = coordinator.config_entry.async_create_background_task(
            coordinator.hass, self._confirm(result, command_id), f"{coordinator.name} proof"
        )
        return result, second

    async def _confirm(self, result: CommandResult, command_id: object) -> CommandResult:
        """Wait for the second proof; create an issue if the command did not hold, delete it if it did."""
        coordinator = self._coordinator
        try:
            while not (final := await coordinator.gateway.control.confirm(result)).is_final:
                if final.reason is not Reason.CLOUD_PENDING:
                    # A later command has replaced it.
                    return final
                # Normally 5 to 15 minutes, after which the client makes it final.
                await asyncio.sleep(_CLOUD_INTERVAL)
        except EnphaseError as error:
            LOGGER.warning("%s: the result of a command could not be read: %s", coordinator.name, error)
            return result
        finally:
            self._clear(command_id)
        if self._latest.get((result.command, result.device)) is not command_id:
            return final
        await self._poll(result.command)
        also_changed = self._unexpected_changes(final)
        is_stuck = final.reason is Reason.STUCK_SCHEDULER
        if final.outcome is Outcome.HELD and not also_changed and not is_stuck:
            self._delete_issue(result.command, result.device)
            self._held[result.command, result.device] = final, dt_util.utcnow() + _WATCH_TIME
        else:
            LOGGER.warning(
                "%s: command %s: %s (%s); requested %s, reported %s",
                coordinator.name,
                final.command,
                final.outcome,
                final.reason,
                dict(final.requested),
                {name: final.after.get(name) for name in final.requested},
            )
            await self._create_issue(final, also_changed)
        return final

    async def _poll(self, command: Command) -> None:
        """Poll what the command changes, and have the sensors that show it polled after the next refresh."""
        if (endpoint := _OF_SENSORS.get(command)) is not None:
            self._coordinator.poll_schedule[endpoint].request_refresh()
        await self._coordinator.async_poll_now(ENDPOINTS[command])

    @callback
    def _clear(self, command_id: object) -> None:
        """Remove the values that a command has on their way."""
        self._pending = {
            setting: pending for setting, pending in self._pending.items() if pending[1] is not command_id
        }
        self._coordinator.async_update_listeners()

    def _unexpected_changes(self, result: CommandResult) -> dict[str, Value]:
        """Return the values that a command brought along, by name.

        In mode `backup`, the reserve is 100 %; a value that was unknown may become known; and an earlier
        command may have changed a value only now.
        """
        is_backup = "backup" in (result.before.get("mode"), result.after.get("mode"))
        return {
            name: after
            for name, (before, after) in result.also_changed.items()
            if (result.command, name) in COMMAND_ENTITIES
            and None not in (before, after)
            and not (is_backup and name == "reserve")
            and self._requested.get(Setting(command=result.command, name=name, device=result.device)) != after
        }

    async def _create_issue(self, final: CommandResult, also_changed: Mapping[str, Value]) -> None:
        hass, command = self._coordinator.hass, final.command
        expected = (
            # The levels at which an AC Battery sleeps have no entity: nothing reports them later.
            {name: value for name, value in final.requested.items() if (command, name) in COMMAND_ENTITIES}
            if final.missing
            else {name: final.before[name] for name in also_changed}
        )
        if expected:
            # Without, such as for batteries that do not charge, only a later command resolves it.
            self._expected[command, final.device] = expected
        # Without the values that hold, unless others were changed besides.
        names = [
            name
            for name in (*(final.missing or final.requested), *also_changed)
            if (command, name) in COMMAND_ENTITIES
        ]
        requested = {name: final.requested.get(name, final.before.get(name)) for name in names}
        reported = {name: final.after.get(name) for name in names}
        async_create_command_issue(
            hass,
            self._coordinator.config_entry,
            final,
            expected,
            (
                await async_describe_values(hass, command, requested),
                await async_describe_values(hass, command, reported),
            ),
        )

    def _error(self, error: EnphaseError) -> HomeAssistantError:
        coordinator = self._coordinator
        is_ours = isinstance(error, CommandError)
        # A command that cannot be sent is the mistake of its sender, not a failure of the gateway.
        return (ServiceValidationError if is_ours else HomeAssistantError)(
            translation_domain=DOMAIN,
            translation_key=command_error_key(error),
            translation_placeholders={
                "name": coordinator.config_entry.title,
                "host": coordinator.gateway.host,
                **error_placeholders(error),
            },
        )


def command_error_key(error: EnphaseError) -> str:
    """Return the translation key of an error of a command."""
    if isinstance(error, CommandError):
        return f"command_{error.reason}"
    return error_key(error, CLOUD_COMMAND_ERRORS if error.is_from_cloud else COMMAND_ERRORS)


async def _send_command(
    control: Control,
    cloud: BatteryCloud | None,
    command: Command,
    requested: Mapping[str, Value],
    device: str | None,
) -> CommandResult:
    """Send a command; the keys of `requested` are the parameters' names."""
    given: dict[str, Any] = dict(requested)
    unit = str(device)
    # Without levels, the battery is woken.
    levels = {name: value for name, value in given.items() if name != "sleep"}
    send: dict[Command, Callable[[], Awaitable[CommandResult]]] = {
        Command.STORAGE: lambda: control.set_storage(**given, cloud=cloud),
        Command.GRID_CONNECTION: lambda: control.set_grid_connection(**given),
        Command.DRY_CONTACT: lambda: control.set_dry_contact(unit, **given),
        Command.DRY_CONTACT_SETTINGS: lambda: control.set_dry_contact_settings(unit, **given),
        Command.GENERATOR: lambda: control.set_generator(**given),
        Command.GENERATOR_CHARGING: lambda: control.set_generator_charging(**given),
        Command.AC_BATTERY_SLEEP: lambda: control.set_ac_battery_sleep(unit, **levels),
        Command.PRODUCTION: lambda: control.set_production(**given),
    }
    return await send[command]()
