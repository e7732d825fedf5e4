"""What firmware gets wrong, by name: each lie that a simulated gateway can be made to tell."""

from __future__ import annotations

#: By name, what is wrong, and in brackets the firmware it was seen on. What every gateway does is no option:
#: three channels for each meter, a whole meter's voltage as the sum of its phases', device data that ends at
#: fifty devices, a colon in the key of the batteries' power; and on 7.0 to 8.2.127 a sum over the
#: microinverters in /production.json that is modulo 2^32 J.
QUIRKS = {
    "meters-404": "the meter endpoints do not exist instead of being empty",
    "meters-401": "the meter endpoints refuse everybody (standard gateways)",
    "ensemble-401": "the battery endpoints refuse everybody (early 7)",
    "unlisted-meter": "the readings hold a meter that the list does not know (8.3)",
    "unknown-meter": "a meter of a type that nobody knows, around the home like a total-consumption meter",
    "disabled-meter": "a disabled meter that goes on reporting noise",
    "unwired-phases": "three phases are counted where fewer are wired (7.3.466)",
    "third-channel-mirrors": "the third channel of split phase repeats the storage meter's second (8.2.127)",
    "total-is-net": "/production.json gives net consumption as total consumption (8.3.5433)",
    "today-is-lifetime": "/production.json and /api/v1/production give lifetime energy as today's (8.3.5433)",
    "power-factors-added": "the readings' total power factor is the sum over the phases (8.3)",
    "no-apparent-energy": "the readings' apparent energy stays next to nothing (8.3)",
    "reports-netted": "/ivp/meters/reports nets the grid's energies: nothing is exported (8.3.5169)",
    "no-production-data": "/api/v1/production stays at what it once was (8.2.4264 without production meter)",
    "empty-totals": "/api/v1/production counts nothing: its energies are 0 (8.3.5422 without meters)",
    "second-inverter": "an inverter that no meter measures: the house seems to use less, or to give",
    "storage-loses-phase": "every fifth minute one phase of the storage meter is all zero (8.3.6087)",
    "meters-wrap": "ten minutes after the start the meters' energy counters pass 2^32 Wh, and begin at 0",
    "inverter-wraps": "ten minutes after the start a microinverter's counter passes 2^32 J: 1.19 MWh less",
    "zeros-after-power-cut": "for two minutes after a restart all values are 0, with status 200",
    "nightly-silence": "from 23:00 to 23:05 on the house's clock nothing is answered (8.3)",
}
