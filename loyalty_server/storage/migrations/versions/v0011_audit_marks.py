"""How far the audit beside the running server has come, and which process does it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from loyalty_server.storage.types import UtcTime, name

revision = "v0011"
down_revision = "v0010"


def upgrade() -> None:
    """What is booked already is left to `verify --audit`."""
    op.create_table(
        "audit_marks",
        sa.Column("device", name(32), nullable=False),
        sa.Column("epoch", name(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device", "epoch", name="pk_audit_marks"),
    )
    op.create_table(
        "leases",
        sa.Column("name", name(32), nullable=False),
        sa.Column("holder", name(32), nullable=False),
        sa.Column("until", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.execute("INSERT INTO audit_marks (device, epoch, seq) SELECT device, epoch, last_seq FROM epochs")
