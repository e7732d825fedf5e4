"""Tests in Chromium: the frontend of a real Home Assistant with a simulated gateway."""
