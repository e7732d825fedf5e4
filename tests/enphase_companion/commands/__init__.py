"""Tests of the commands as their owners start them."""
