"""The gateway as a source of messages: opened with what is set, and read for as long as a script runs."""
