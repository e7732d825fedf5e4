"""Whether a gateway has batteries that no meter measures, so that consumption cannot be worked out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0002"
down_revision = "0001"

_TABLE, _COLUMN = "gateways", "unmetered_batteries"


def upgrade() -> None:
    """Add the column, unless an upgrade that was interrupted did: MariaDB does it outside of transactions."""
    if context.is_offline_mode() or _COLUMN not in _columns():
        op.add_column(_TABLE, sa.Column(_COLUMN, sa.Boolean))


def _columns() -> set[str]:
    return {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_TABLE)}
