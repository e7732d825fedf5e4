#!/usr/bin/env python3
"""Stores the readings that RabbitMQ has in a database; also installed as enphase-amqp-database-meters."""

import sys

from enphase_companion.commands.amqp_database_meters import main

if __name__ == "__main__":
    sys.exit(main())
