"""Home Assistant as a peer of the scripts: its websocket API, and the readings of its integration."""
