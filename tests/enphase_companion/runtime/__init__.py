"""Tests of enphase_companion.runtime."""
