"""Tests of the environments, of packaging, and of the repository itself."""
