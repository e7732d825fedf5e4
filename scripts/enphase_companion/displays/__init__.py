"""What 16 x 16 LEDs show: pictures drawn as pure functions, and the three displays that they go to."""
