"""The commands: one module for each script, with its options, its wiring and how it ends."""
