"""Tests of the blueprints in running automations."""
