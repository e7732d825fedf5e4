"""What an owner can set, where it is looked for, and what it may be."""
