"""Tests of sign-in and tokens."""
