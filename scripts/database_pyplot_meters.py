#!/usr/bin/env python3
"""Draws what the meters read, from the database; also installed as enphase-database-pyplot-meters."""

import sys

from enphase_companion.commands.database_pyplot_meters import main

if __name__ == "__main__":
    sys.exit(main())
