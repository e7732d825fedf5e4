"""Tests of the demo: its command, and its check of the integration."""
