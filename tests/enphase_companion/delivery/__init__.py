"""Tests of enphase_companion.delivery."""
