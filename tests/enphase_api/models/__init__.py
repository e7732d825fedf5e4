"""Tests of what the gateway's answers mean."""
