"""The soak test: the whole pipeline under random faults, and what it lost, doubled or got wrong."""
