"""The demo: a simulated gateway and Home Assistant, and a comparison of their values."""
