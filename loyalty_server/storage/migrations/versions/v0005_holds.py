"""Points that are reserved for open receipts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from loyalty_server.storage.types import UtcTime, name

revision = "v0005"
down_revision = "v0004"


def upgrade() -> None:
    """Make the table; nothing that is there changes."""
    op.create_table(
        "holds",
        sa.Column("device", name(32), nullable=False),
        sa.Column("id", name(64), nullable=False),
        sa.Column("member", name(32)),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("coupons", sa.Text(), nullable=False),
        sa.Column("till", name(64), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("over_at", UtcTime()),
        sa.ForeignKeyConstraint(["member"], ["members.id"], name="fk_holds_member"),
        sa.PrimaryKeyConstraint("device", "id", name="pk_holds"),
    )
    op.create_index("ix_holds_member", "holds", ["member"])
    op.create_index("ix_holds_expires_at", "holds", ["expires_at"])
