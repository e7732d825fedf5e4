"""Tests of enphase_companion.source."""
