"""Tests of enphase_companion.running."""
