"""Tests of the simulated gateway: that its house is possible, and that it answers as gateways do."""
