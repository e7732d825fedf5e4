"""Tests of changes of the gateway."""
