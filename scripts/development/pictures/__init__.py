"""Makes the pictures of the scripts in docs/images, each from a real run against a simulated house."""
