"""Tests of enphase_companion.gateway."""
