"""The options flow: the interval, which values are read, and whether and how the gateway may be changed."""

from collections.abc import Mapping
from typing import Any, override

import voluptuous as vol
from homeassistant.config_entries import ConfigEntry, ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_PASSWORD, CONF_SCAN_INTERVAL, UnitOfTime
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
)

from .cloud_flow import CloudFlow
from .const import (
    CONF_ALLOW_WRITES,
    CONF_BATTERY_CLOUD,
    CONF_BATTERY_SITE,
    CONF_ENERGY_DASHBOARD,
    CONF_LIVE_VALUES,
    CONF_PANEL_SENSORS,
    DEFAULT_SCAN_INTERVAL,
    MAX_SCAN_INTERVAL,
    MIN_SCAN_INTERVAL,
)

#: The states per day that the recorder writes at one reading per second with three phases: of the entities
#: that are enabled by default (7 per second), and of all.
_RECORDED_STATES = {"few": "950\N{NO-BREAK SPACE}000", "many": "4\N{NO-BREAK SPACE}900\N{NO-BREAK SPACE}000"}

OPTIONS_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_SCAN_INTERVAL, default=DEFAULT_SCAN_INTERVAL): vol.All(
            # The range is checked in the step: the error of a selector does not name its limits.
            NumberSelector(
                NumberSelectorConfig(
                    step=1, unit_of_measurement=UnitOfTime.SECONDS, mode=NumberSelectorMode.BOX
                )
            ),
            # Infinity cannot be converted to an integer.
            vol.Range(min=-1e9, max=1e9),
            vol.Coerce(int),
        ),
        vol.Required(CONF_ENERGY_DASHBOARD, default=False): BooleanSelector(),
        vol.Required(CONF_PANEL_SENSORS, default=False): BooleanSelector(),
        vol.Required(CONF_LIVE_VALUES, default=False): BooleanSelector(),
        vol.Required(CONF_ALLOW_WRITES, default=False): BooleanSelector(),
        vol.Required(CONF_BATTERY_CLOUD, default=False): BooleanSelector(),
    }
)


class GatewayOptionsFlow(OptionsFlowWithReload, CloudFlow[ConfigFlowResult]):
    """Set the interval, the sensors of microinverters, and whether and how the gateway may be changed."""

    _chosen: dict[str, Any]

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Set the options."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if MIN_SCAN_INTERVAL <= user_input[CONF_SCAN_INTERVAL] <= MAX_SCAN_INTERVAL:
                self._chosen = user_input
                return await self._continue_to_cloud()
            errors[CONF_SCAN_INTERVAL] = "interval_out_of_range"
        schema = self.add_suggested_values_to_schema(OPTIONS_SCHEMA, user_input or self.config_entry.options)
        return self.async_show_form(
            step_id="init",
            data_schema=schema,
            errors=errors,
            description_placeholders={
                "low": str(MIN_SCAN_INTERVAL),
                "high": str(MAX_SCAN_INTERVAL),
                **_RECORDED_STATES,
            },
        )

    async def _continue_to_cloud(self) -> ConfigFlowResult:
        """Ask what the way through the cloud needs, where it is turned on or its account is missing."""
        entry = self.config_entry
        if not self._chosen[CONF_BATTERY_CLOUD]:
            return self.async_create_entry(data=self._chosen)
        if not entry.options.get(CONF_BATTERY_CLOUD) or CONF_PASSWORD not in entry.data:
            return await self._check_stored_account()
        kept = {key: entry.options[key] for key in (CONF_BATTERY_SITE,) if key in entry.options}
        return self.async_create_entry(data={**self._chosen, **kept})

    @property
    @override
    def _flow_entry(self) -> ConfigEntry:
        return self.config_entry

    @property
    @override
    def _placeholders(self) -> Mapping[str, str]:
        return {"name": self.config_entry.title}

    @override
    async def _store_options(self, options: Mapping[str, Any]) -> ConfigFlowResult:
        entry, chosen = self.config_entry, {**self._chosen, **options}
        if chosen == entry.options:
            # Home Assistant reloads for other options only, not for another account.
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return self.async_create_entry(data=chosen)
