"""Tests of what the console prints, follows and trusts."""
