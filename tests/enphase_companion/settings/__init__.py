"""Tests of enphase_companion.settings."""
