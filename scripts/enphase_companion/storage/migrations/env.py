"""Run the migrations on the connection of schema.py, or render their SQL; Alembic executes this file."""

from __future__ import annotations

from alembic import context

options = context.config.attributes
context.configure(**options)
with context.begin_transaction():
    context.run_migrations()
