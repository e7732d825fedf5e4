"""A config flow, used like the frontend does."""

from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER, ConfigFlowContext, ConfigFlowResult
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.enphase_iq_gateway.const import DOMAIN
from enphase_companion.simulator import Simulator

from .texts import TEXTS as ENGLISH

TEXTS = ENGLISH["config"]


class Flow:
    """A flow; `shown` is its current result."""

    shown: ConfigFlowResult

    def __init__(self, hass: HomeAssistant, simulator: Simulator) -> None:
        self._hass = hass
        self._simulator = simulator

    async def start(self, source: str = SOURCE_USER, data: Any = None, entry_id: str | None = None) -> None:
        """Start the flow."""
        context = ConfigFlowContext(source=source)
        if entry_id is not None:
            context["entry_id"] = entry_id
        self._store_result(
            await self._hass.config_entries.flow.async_init(DOMAIN, context=context, data=data)
        )

    async def resume(self, shown: ConfigFlowResult) -> None:
        """Continue a flow that was started elsewhere."""
        self._store_result(await self._hass.config_entries.flow.async_configure(shown["flow_id"]))

    async def submit(self, **fields: Any) -> None:
        """Submit the step that is shown."""
        self._store_result(
            await self._hass.config_entries.flow.async_configure(self.shown["flow_id"], fields)
        )

    def _store_result(self, shown: ConfigFlowResult) -> None:
        """Store the result, and check that its texts and placeholders exist."""
        self.shown = shown
        values = shown.get("description_placeholders") or {}
        match shown["type"]:
            case FlowResultType.FORM | FlowResultType.MENU:
                step = TEXTS["step"][shown["step_id"]]
                texts = [
                    step["title"],
                    step.get("description", ""),
                    *step.get("data_description", {}).values(),
                ]
                texts += [TEXTS["error"][key] for key in (shown.get("errors") or {}).values()]
                assert all(option in step["menu_options"] for option in _options(shown))
            case FlowResultType.ABORT:
                texts = [TEXTS["abort"][shown["reason"]]]
            case _:
                texts = []
        for text in texts:
            assert text.format(**values)[:1] != "{"

    async def choose(self, step: str) -> None:
        """Choose from the menu that is shown."""
        await self.submit(next_step_id=step)

    async def enter_host(self, host: str | None = None) -> None:
        """Submit the address of the gateway, or another one."""
        await self.submit(**{CONF_HOST: self._simulator.url if host is None else host})

    async def enter_account(
        self, username: str | None = None, password: str | None = None, renew: bool = False
    ) -> None:
        """Submit the account of the simulated Entrez, or another one."""
        await self.submit(
            **{
                CONF_USERNAME: username or self._simulator.username,
                CONF_PASSWORD: password or self._simulator.password,
                "renew": renew,
            }
        )

    async def enter_token(self, token: str | None = None) -> None:
        """Submit a token of Entrez, or another text."""
        await self.submit(**{CONF_TOKEN: self._simulator.token() if token is None else token})

    async def reconfigure(self, entry_id: str, option: str) -> None:
        """Start a reconfiguration and choose what to change."""
        await self.start(SOURCE_RECONFIGURE, entry_id=entry_id)
        await self.choose(option)

    async def reach(self, step: str) -> None:
        """Start the flow and continue to the step `account` or `token`."""
        await self.start()
        await self.enter_host()
        await self.submit()
        await self.choose(step)

    def shows(self, step: str, error: str | None = None) -> bool:
        """Return whether a step is shown with this error only."""
        expected = {} if error is None else {"base": error}
        return (
            self.shown["type"] in (FlowResultType.FORM, FlowResultType.MENU)
            and self.shown["step_id"] == step
            and (self.shown.get("errors") or {}) == expected
        )

    def aborts(self, reason: str) -> bool:
        """Return whether the flow has ended without an entry, for this reason."""
        return self.shown["type"] is FlowResultType.ABORT and self.shown["reason"] == reason

    async def require_abort(self, reason: str) -> None:
        """Fail unless the flow has ended for this reason, and wait until its entry is reloaded."""
        assert self.aborts(reason)
        await self._hass.async_block_till_done(wait_background_tasks=True)


def nothing_secret_was_sent(device: Simulator) -> bool:
    """Return whether a device was sent neither a token nor a session's cookie."""
    return not any(request.has_authorization or request.has_session for request in device.requests)


def _options(shown: ConfigFlowResult) -> list[str]:
    options = shown.get("menu_options")
    return options if isinstance(options, list) else []
