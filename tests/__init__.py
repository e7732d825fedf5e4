"""Tests of the client, the companion scripts, the integration and the set-up commands."""
