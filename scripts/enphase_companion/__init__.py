"""Companion scripts for an Enphase IQ Gateway: what their commands are made of, installed as one package."""
