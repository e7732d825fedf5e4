"""Tests of Home Assistant as a peer of the scripts."""
