"""Tests of the benchmarks: they run, and print their results. Times are not compared."""
