"""Run by Alembic for each upgrade: it uses the connection, or writes the SQL, that schema.py gives it."""

from __future__ import annotations

from alembic import context

options = context.config.attributes
context.configure(**options)
with context.begin_transaction():
    context.run_migrations()
