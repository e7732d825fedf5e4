#!/usr/bin/env python3
"""Stores what a gateway's meters read in a database; also installed as enphase-gateway-database-meters."""

import sys

from enphase_companion.commands.gateway_database_meters import main

if __name__ == "__main__":
    sys.exit(main())
