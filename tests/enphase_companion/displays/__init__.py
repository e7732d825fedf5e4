"""Tests of what the 16 x 16 LEDs show, and of the displays that show it."""
