"""Environments, demo, benchmarks, pictures and site, for developers; the product imports none of them."""
