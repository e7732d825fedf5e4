"""Charts: production up, consumption down, the grid as a line; from the database or live."""
