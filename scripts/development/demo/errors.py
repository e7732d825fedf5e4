"""What ends the demo with a sentence for the person in front of it."""


class DemoError(Exception):
    """The demo cannot go on; the text says why, and what to do about it."""
