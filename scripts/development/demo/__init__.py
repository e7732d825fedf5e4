"""The demo: a simulated gateway, a real Home Assistant, and what both say, side by side."""
