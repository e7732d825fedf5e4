"""Tests of the demo: its command, and what it finds out about the integration."""
