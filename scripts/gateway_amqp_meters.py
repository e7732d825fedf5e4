#!/usr/bin/env python3
"""Publishes what a gateway's meters read to RabbitMQ; also installed as enphase-gateway-amqp-meters."""

import sys

from enphase_companion.commands.gateway_amqp_meters import main

if __name__ == "__main__":
    sys.exit(main())
