"""Tests of the soak test: its verdict, its proxy and its options. Continuous integration runs it whole."""
