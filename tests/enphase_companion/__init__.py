"""Tests of the companion scripts."""
