"""Constants of the Enphase IQ Gateway integration."""

import logging
from datetime import timedelta
from enum import StrEnum

from homeassistant.const import Platform

DOMAIN = "enphase_iq_gateway"
LOGGER = logging.getLogger(__package__)
#: The platforms that change the gateway; without the option, they have no entities.
CONTROL_PLATFORMS = [Platform.NUMBER, Platform.SELECT, Platform.SWITCH]
PLATFORMS = [Platform.BINARY_SENSOR, Platform.EVENT, Platform.SENSOR, *CONTROL_PLATFORMS]

#: In an entry's data, beside host, token, username and password: the trusted certificate (PEM).
CONF_CERTIFICATE = "certificate"
#: The untrusted certificate (PEM) that the gateway shows, while its repair issue is open.
CONF_SHOWN_CERTIFICATE = "shown_certificate"
#: METER, or INVERTERS without a production meter.
CONF_PRODUCTION_SOURCE = "production_source"
#: Where unmetered production energy is read, and the firmware for which this was determined.
CONF_ENERGY_SOURCE = "production_energy_source"
CONF_ENERGY_SOURCE_FIRMWARE = "production_energy_source_firmware"

#: In the options of an entry, besides the interval: whether entities and actions may change the gateway.
CONF_ALLOW_WRITES = "allow_writes"
#: In the options, too: whether power and lifetime energy of each microinverter are enabled.
CONF_PANEL_SENSORS = "panel_sensors"
#: In an entry's data while that option is on: the unique ids of those that the user had enabled before.
CONF_PANEL_SENSORS_BEFORE = "panel_sensors_before"
#: The keys of those sensors.
PANEL_SENSORS = ("power", "lifetime_energy")

#: In the options, too: whether the sensors were added to the Energy dashboard.
CONF_ENERGY_DASHBOARD = "energy_dashboard"
#: In an entry's data while that option is on: the sources that were added.
CONF_ENERGY_SOURCES = "energy_sources"

#: The model of a microinverter's device.
MICROINVERTER_MODEL = "Microinverter"

#: Whether the batteries are set through Enphase's cloud where the gateway ignores local changes; the account
#: is that of the automatic renewal of the token.
CONF_BATTERY_CLOUD = "battery_cloud"
#: The id of the site in that cloud, where an account has several and the gateway's cannot be found.
CONF_BATTERY_SITE = "battery_site"

#: Whether powers without a meter are read from the live status, whose stream is kept on for this.
CONF_LIVE_VALUES = "live_values"

#: The key of the home energy sensor.
HOME_ENERGY = "home_energy"

#: The keys of the energies of batteries, which are estimated if no meter measures them.
BATTERY_ENERGIES = ("battery_energy_charged", "battery_energy_discharged")

#: The statuses of a meter, as the gateway reports them.
METER_STATUSES = ["normal", "not-metering", "check-wiring"]

DEFAULT_SCAN_INTERVAL = 10
MIN_SCAN_INTERVAL, MAX_SCAN_INTERVAL = 1, 300

#: How often to check whether a gateway shows the trusted certificate again; nothing is sent to it.
CERTIFICATE_CHECK_INTERVAL = timedelta(minutes=5)


#: The role of a token that may switch production; tokens of owners may not.
INSTALLER = "installer"


class EnergySource(StrEnum):
    """The source of production values; it changes only with a reconfiguration or another firmware."""

    METER = "meter"
    #: Power and energy: the sum of the microinverters in /production.json.
    INVERTERS = "inverters"
    #: Power: the same sum. Energy: the total of /api/v1/production.
    TOTALS = "totals"
