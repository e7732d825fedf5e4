"""The options: how often the meters are read, and whether actions may change something."""

from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_SCAN_INTERVAL, UnitOfTime
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
)

from .const import CONF_ALLOW_WRITES, DEFAULT_INTERVAL, INTERVALS

_LOW, _HIGH = INTERVALS

#: States that a recorder writes in a day at one reading a second, with three phases: of what is enabled at
#: first (7 each second), and of all that there is. In groups of digits as every language may write them.
_WRITTEN = {"few": "604\N{NO-BREAK SPACE}800", "many": "4\N{NO-BREAK SPACE}500\N{NO-BREAK SPACE}000"}

FORM = vol.Schema(
    {
        vol.Required(CONF_SCAN_INTERVAL, default=DEFAULT_INTERVAL): vol.All(
            # Without limits of its own, which would be refused by words that do not name them.
            NumberSelector(
                NumberSelectorConfig(
                    step=1, unit_of_measurement=UnitOfTime.SECONDS, mode=NumberSelectorMode.BOX
                )
            ),
            # No endless number, which would be no whole one.
            vol.Range(min=-1e9, max=1e9),
            vol.Coerce(int),
        ),
        vol.Required(CONF_ALLOW_WRITES, default=False): BooleanSelector(),
    }
)


class GatewayOptionsFlow(OptionsFlowWithReload):
    """One form; the entry is reloaded where something has changed."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Take both."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if _LOW <= user_input[CONF_SCAN_INTERVAL] <= _HIGH:
                return self.async_create_entry(data=user_input)
            errors[CONF_SCAN_INTERVAL] = "interval_out_of_range"
        form = self.add_suggested_values_to_schema(FORM, user_input or self.config_entry.options)
        return self.async_show_form(
            step_id="init",
            data_schema=form,
            errors=errors,
            description_placeholders={"low": str(_LOW), "high": str(_HIGH), **_WRITTEN},
        )
