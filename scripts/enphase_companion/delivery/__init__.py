"""Delivery of messages: through a spool on disk to the broker or the database."""
