"""Operators and what they have asked, corrections, flags that are closed, cards that are blocked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from loyalty_server.storage.types import Serial, UtcTime, name

revision = "v0009"
down_revision = "v0008"


def upgrade() -> None:
    """Nobody may ask yet; all flags are open, no card is blocked."""
    op.create_table(
        "operators",
        sa.Column("name", name(32), nullable=False),
        sa.Column("token_sha256", name(64), nullable=False),
        sa.Column("role", name(8), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("revoked_at", UtcTime()),
        sa.PrimaryKeyConstraint("name", name="pk_operators"),
        sa.UniqueConstraint("token_sha256", name="uq_operators_token_sha256"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("operator", name(32), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("outcome", name(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_table(
        "corrections",
        sa.Column("id", name(64), nullable=False),
        sa.Column("member", name(32), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("operator", name(32), nullable=False),
        sa.Column("row_id", name(64), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["member"], ["members.id"], name="fk_corrections_member"),
        sa.PrimaryKeyConstraint("id", name="pk_corrections"),
    )
    op.create_index("ix_corrections_member", "corrections", ["member"])
    op.add_column("flags", sa.Column("closed_at", UtcTime()))
    op.add_column("flags", sa.Column("closed_by", name(32)))
    op.add_column("flags", sa.Column("closed_note", sa.Text()))
    _partial("ix_flags_open", "flags", "id", "closed_at IS NULL")
    op.add_column("cards", sa.Column("blocked_at", UtcTime()))
    _partial("ix_receipts_not_earned", "receipts", "member", "member IS NOT NULL AND earned = 0")


def _partial(index: str, table: str, column: str, where: str) -> None:
    op.create_index(index, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))
