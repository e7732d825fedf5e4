#!/usr/bin/env python3
"""Shows what RabbitMQ says of an array on 16 x 16 LEDs; also installed as enphase-amqp-unicorn-hat-hd."""

import sys

from enphase_companion.commands.amqp_unicorn_hat_hd import main

if __name__ == "__main__":
    sys.exit(main())
