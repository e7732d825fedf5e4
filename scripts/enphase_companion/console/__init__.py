"""The state of a gateway for a terminal: as a page, a live page, lines, or JSON."""
