"""The options: how often the meters are read."""

from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_SCAN_INTERVAL, UnitOfTime
from homeassistant.helpers.selector import NumberSelector, NumberSelectorConfig, NumberSelectorMode

from .const import DEFAULT_INTERVAL, INTERVALS

_LOW, _HIGH = INTERVALS

_FORM = vol.Schema(
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
        )
    }
)


class GatewayOptionsFlow(OptionsFlowWithReload):
    """One form; the entry is reloaded where something has changed."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Take the interval."""
        if user_input is not None:
            return self.async_create_entry(data=user_input)
        form = self.add_suggested_values_to_schema(_FORM, self.config_entry.options)
        return self.async_show_form(step_id="init", data_schema=form)
