"""Names that several rooms of the integration share."""

import logging
from datetime import timedelta
from enum import StrEnum

from homeassistant.const import Platform

DOMAIN = "enphase_iq_gateway"
LOGGER = logging.getLogger(__package__)
PLATFORMS = [Platform.BINARY_SENSOR, Platform.EVENT, Platform.SENSOR]

#: In an entry's data, beside host, token, username and password: the trusted certificate (PEM).
CONF_CERTIFICATE = "certificate"
#: The certificate (PEM) that is asked about while the gateway shows another than the trusted one.
CONF_SHOWN_CERTIFICATE = "shown_certificate"
#: METER, or INVERTERS where no meter is of production.
CONF_PRODUCTION_SOURCE = "production_source"
#: Where production without a meter is counted, and the firmware with which that was found out.
CONF_ENERGY_SOURCE = "production_energy_source"
CONF_ENERGY_SOURCE_FIRMWARE = "production_energy_source_firmware"

#: In an entry's options, beside the interval: whether `call_api` may do more than read.
CONF_ALLOW_WRITES = "allow_writes"

#: The key of the sensor of home's energy, whose falls are judged.
HOME_ENERGY = "home_energy"

DEFAULT_INTERVAL = 10
INTERVALS = (1, 300)

#: While the gateway shows a certificate that is not trusted, it is looked at this often, and nothing is sent.
CERTIFICATE_PACE = timedelta(minutes=5)


class ProductionFrom(StrEnum):
    """Where production comes from; fixed until the gateway is reconfigured or has other firmware."""

    METER = "meter"
    #: Power and energy are the sum over the microinverters, in /production.json.
    INVERTERS = "inverters"
    #: Power is that sum, energy the total of /api/v1/production.
    TOTALS = "totals"
