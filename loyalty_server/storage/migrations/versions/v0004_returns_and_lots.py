"""Returns, lots that burn, coupons that are used once, and what tills tell beside receipts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from loyalty_server.storage.types import UtcTime, name

revision = "v0004"
down_revision = "v0003"


def upgrade() -> None:
    """Add tables and columns; nothing that is there changes. What was booked before never burns."""
    op.add_column("ledger", sa.Column("expires_at", UtcTime()))
    op.add_column("ledger", sa.Column("of_row", name(64)))
    op.add_column("ledger", sa.Column("of_day", sa.Date()))
    op.add_column("members", sa.Column("lots_at", UtcTime()))
    op.add_column("members", sa.Column("burns_at", UtcTime()))
    some = sa.text("burns_at IS NOT NULL")
    op.create_index("ix_members_burns_at", "members", ["burns_at"], sqlite_where=some, postgresql_where=some)
    _make_returns()
    op.create_table(
        "notes",
        sa.Column("row_id", name(64), nullable=False),
        sa.Column("kind", name(16), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.Column("device", name(32), nullable=False),
        sa.Column("till", name(64), nullable=False),
        sa.Column("member", name(32)),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["member"], ["members.id"], name="fk_notes_member"),
        sa.PrimaryKeyConstraint("row_id", name="pk_notes"),
    )
    op.create_index("ix_notes_member_kind_at", "notes", ["member", "kind", "at"])
    op.create_table(
        "coupon_uses",
        sa.Column("member", name(32), nullable=False),
        sa.Column("code", name(64), nullable=False),
        sa.Column("row_id", name(64), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["member"], ["members.id"], name="fk_coupon_uses_member"),
        sa.PrimaryKeyConstraint("member", "code", "row_id", name="pk_coupon_uses"),
    )


def _make_returns() -> None:
    op.create_table(
        "returns",
        sa.Column("row_id", name(64), nullable=False),
        sa.Column("kind", name(16), nullable=False),
        sa.Column("business_day", sa.Date(), nullable=False),
        *(sa.Column(part, name(64), nullable=False) for part in ("store", "till", "shift", "number")),
        sa.Column("sale_day", sa.Date(), nullable=False),
        *(sa.Column(f"sale_{part}", name(64), nullable=False) for part in ("store", "till", "shift", "number")),
        sa.Column("device", name(32), nullable=False),
        sa.Column("epoch", name(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.Column("refund", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_sha256", name(64), nullable=False),
        sa.Column("settled_at", UtcTime()),
        sa.Column("flagged_at", UtcTime()),
        sa.PrimaryKeyConstraint("row_id", name="pk_returns"),
        sa.UniqueConstraint("business_day", "store", "till", "shift", "number", "kind", name="uq_returns_receipt"),
    )
    sale = ["sale_day", "sale_store", "sale_till", "sale_shift", "sale_number"]
    pending = sa.text("settled_at IS NULL")
    op.create_index("ix_returns_sale", "returns", sale)
    op.create_index("ix_returns_pending", "returns", sale, sqlite_where=pending, postgresql_where=pending)
