"""The integration's websocket commands, and the scripts that read from Home Assistant through them."""
