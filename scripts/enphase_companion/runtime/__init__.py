"""The runtime of all commands: log, exit status, signals, and status and metrics of long-running ones."""
