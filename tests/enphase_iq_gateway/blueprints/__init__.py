"""Tests of the blueprints, as running automations."""
