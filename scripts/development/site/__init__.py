"""The documentation site, made by Sphinx from docs/, the endpoints' catalogue and the client's docstrings."""
