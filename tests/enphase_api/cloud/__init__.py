"""Tests of the way to Entrez."""
