"""Charts: production up, consumption down, net as a line; from the database or live, in a window or a file."""
