#!/usr/bin/env python3
"""Writes pages about a gateway's endpoints; also installed as the command enphase-gateway-generate-docs."""

import sys

from enphase_companion.commands.gateway_generate_docs import main

if __name__ == "__main__":
    sys.exit(main())
