"""Messages on their way: on disk at once or when nobody takes them, and from there to broker or database."""
