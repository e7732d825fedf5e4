"""The options flow: the interval is validated."""

from contextlib import suppress
from typing import Any

import voluptuous as vol
from homeassistant.const import CONF_SCAN_INTERVAL
from hypothesis import example, given
from hypothesis import strategies as st

from custom_components.enphase_iq_gateway.const import (
    CONF_ALLOW_WRITES,
    CONF_BATTERY_CLOUD,
    CONF_ENERGY_DASHBOARD,
    CONF_LIVE_VALUES,
    CONF_PANEL_SENSORS,
)
from custom_components.enphase_iq_gateway.options_flow import OPTIONS_SCHEMA

ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.integers())
)
OPTIONS = {
    CONF_SCAN_INTERVAL,
    CONF_PANEL_SENSORS,
    CONF_LIVE_VALUES,
    CONF_ALLOW_WRITES,
    CONF_BATTERY_CLOUD,
    CONF_ENERGY_DASHBOARD,
}
KEYS = st.sampled_from([*sorted(OPTIONS), "other"])


@given(st.dictionaries(KEYS, ANYTHING) | ANYTHING)
@example({CONF_SCAN_INTERVAL: float("nan")})
@example({CONF_SCAN_INTERVAL: 1.5, CONF_ALLOW_WRITES: False})
@example({CONF_SCAN_INTERVAL: float("inf"), CONF_ALLOW_WRITES: False})
def test_an_interval_is_always_in_whole_seconds(sent: Any) -> None:
    with suppress(vol.Invalid):
        kept = OPTIONS_SCHEMA(sent)
        assert kept.keys() == OPTIONS
        assert isinstance(kept[CONF_SCAN_INTERVAL], int)
        assert isinstance(kept[CONF_ALLOW_WRITES], bool)
        assert isinstance(kept[CONF_PANEL_SENSORS], bool)
