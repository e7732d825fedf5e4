"""Tests of the benchmarks: that they run, and what they say. Of a time they ask nothing."""
