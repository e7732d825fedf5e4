#!/usr/bin/env python3
"""Shows what a gateway's array makes on 16 x 16 LEDs; also installed as enphase-gateway-unicorn-hat-hd."""

import sys

from enphase_companion.commands.gateway_unicorn_hat_hd import main

if __name__ == "__main__":
    sys.exit(main())
