"""How every command runs: its log, its ends, its signals, and what a long-running one says of itself."""
