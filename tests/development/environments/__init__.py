"""Facts about the set-up commands and about what the project is packed into."""
