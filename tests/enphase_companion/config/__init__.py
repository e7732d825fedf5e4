"""Tests of enphase_companion.config."""
