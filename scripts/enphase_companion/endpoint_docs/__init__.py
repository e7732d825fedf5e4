"""Documentation of the gateway's endpoints: a catalogue of facts, merged with the answers of a gateway."""
