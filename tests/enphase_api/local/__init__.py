"""Tests of the way to the gateway."""
