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

FORM = vol.Schema(
    {
        vol.Required(CONF_SCAN_INTERVAL, default=DEFAULT_INTERVAL): vol.All(
            NumberSelector(
                NumberSelectorConfig(
                    min=_LOW,
                    max=_HIGH,
                    step=1,
                    unit_of_measurement=UnitOfTime.SECONDS,
                    mode=NumberSelectorMode.BOX,
                )
            ),
            vol.Coerce(int),
        ),
        vol.Required(CONF_ALLOW_WRITES, default=False): BooleanSelector(),
    }
)


class GatewayOptionsFlow(OptionsFlowWithReload):
    """One form; the entry is reloaded where something has changed."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Take both."""
        if user_input is not None:
            return self.async_create_entry(data=user_input)
        form = self.add_suggested_values_to_schema(FORM, self.config_entry.options)
        return self.async_show_form(step_id="init", data_schema=form)
