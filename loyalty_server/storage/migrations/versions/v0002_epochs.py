"""Queues that go on under a new epoch, and devices that go on with a new key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from loyalty_server.storage.types import UtcTime, name

revision = "v0002"
down_revision = "v0001"


def upgrade() -> None:
    """Add columns; nothing that is there changes."""
    op.add_column("claim_codes", sa.Column("replaces", name(32)))
    op.add_column("epochs", sa.Column("closes_at", sa.BigInteger()))
    op.add_column("epochs", sa.Column("heard_at", UtcTime()))
    op.add_column("epochs", sa.Column("opened", sa.BigInteger()))
    op.add_column("epochs", sa.Column("instance", name(64)))
    op.create_index("ix_epochs_epoch", "epochs", ["epoch"])
    op.add_column("rows", sa.Column("origin_epoch", name(64)))
    op.add_column("rows", sa.Column("origin_seq", sa.BigInteger()))
    op.add_column("rows", sa.Column("corrects", sa.BigInteger()))
    op.create_index("ix_rows_origin", "rows", ["origin_epoch", "origin_seq"])
