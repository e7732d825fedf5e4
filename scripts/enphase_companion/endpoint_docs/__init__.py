"""The gateway's endpoints, documented: a catalogue of facts, and what a gateway's own answers show."""
