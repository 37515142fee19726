"""An operator may ask a device for another key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from loyalty_server.storage.types import UtcTime

revision = "v0008"
down_revision = "v0007"


def upgrade() -> None:
    """Nobody is asked yet."""
    op.add_column("devices", sa.Column("key_asked_at", UtcTime))
