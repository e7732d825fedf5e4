#!/usr/bin/env python3
"""Looks after the database of readings; also installed as the command enphase-database."""

import sys

from enphase_companion.commands.database import main

if __name__ == "__main__":
    sys.exit(main())
