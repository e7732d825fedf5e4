#!/usr/bin/env python3
"""Prints what an Enphase IQ Gateway says now; also installed as the command enphase-gateway-console."""

import sys

from enphase_companion.commands.gateway_console import main

if __name__ == "__main__":
    sys.exit(main())
