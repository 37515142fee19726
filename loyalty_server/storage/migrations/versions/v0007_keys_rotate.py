"""A device's key may be changed, and the payment with points may be stopped for a device or a store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from loyalty_server.storage.types import UtcTime, name

revision = "v0007"
down_revision = "v0006"


def upgrade() -> None:
    """Nobody has an old key, and nothing is stopped."""
    op.add_column("devices", sa.Column("old_public_key", name(64)))
    op.add_column("devices", sa.Column("old_key_until", UtcTime))
    op.add_column("devices", sa.Column("redemption_stopped_at", UtcTime))
    op.add_column("stores", sa.Column("redemption_stopped_at", UtcTime))
