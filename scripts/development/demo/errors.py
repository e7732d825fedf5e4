"""The error that ends the demo with a message for the user."""


class DemoError(Exception):
    """The demo cannot continue; the text names the reason and a solution."""
