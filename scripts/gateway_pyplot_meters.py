#!/usr/bin/env python3
"""Draws what a gateway's meters read, live; also installed as enphase-gateway-pyplot-meters."""

import sys

from enphase_companion.commands.gateway_pyplot_meters import main

if __name__ == "__main__":
    sys.exit(main())
