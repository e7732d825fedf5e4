"""What a gateway says, put together for a terminal: as a page, as a live page, as lines, or as JSON."""
