"""Tests in Chromium: what an owner sees and clicks, in a real Home Assistant beside a simulated gateway."""
