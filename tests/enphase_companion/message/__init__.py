"""Tests of enphase_companion.message."""
