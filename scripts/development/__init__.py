"""Environments, demo, benchmarks and pictures for developers; the product imports none of them."""
