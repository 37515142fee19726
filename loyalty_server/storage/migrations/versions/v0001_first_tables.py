"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from loyalty_server.storage.types import Serial, UtcTime, name

revision = "v0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "counters",
        sa.Column("name", name(32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    op.create_table(
        "flags",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("kind", name(32), nullable=False),
        sa.Column("device", name(32), nullable=False),
        sa.Column("row_id", name(64)),
        sa.Column("till", name(64)),
        sa.Column("member", name(32)),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_flags"),
    )
    op.create_index("ix_flags_kind_at", "flags", ["kind", "at"])
    op.create_table(
        "members",
        sa.Column("id", name(32), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("greeting", sa.Text()),
        sa.Column("phone", name(20)),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("deleted_at", UtcTime()),
        sa.PrimaryKeyConstraint("id", name="pk_members"),
        sa.UniqueConstraint("change", name="uq_members_change"),
        sa.UniqueConstraint("phone", name="uq_members_phone"),
    )
    op.create_table(
        "programmes",
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("starts_at", UtcTime(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.Column("published_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_programmes"),
    )
    op.create_table(
        "quarantine",
        sa.Column("device", name(32), nullable=False),
        sa.Column("epoch", name(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", name(64), nullable=False),
        sa.Column("row_id", name(64), nullable=False),
        sa.Column("kind", name(32), nullable=False),
        sa.Column("at", name(64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("reason", name(32), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("device", "epoch", "seq", "hash", name="pk_quarantine"),
    )
    op.create_table(
        "settings",
        sa.Column("name", name(32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_settings"),
    )
    op.create_table(
        "stores",
        sa.Column("id", name(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ident_generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stores"),
    )
    op.create_table(
        "cards",
        sa.Column("card", name(64), nullable=False),
        sa.Column("member", name(32), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["member"], ["members.id"], name="fk_cards_member"),
        sa.PrimaryKeyConstraint("card", name="pk_cards"),
    )
    op.create_index("ix_cards_member", "cards", ["member"])
    op.create_table(
        "claim_codes",
        sa.Column("code_sha256", name(64), nullable=False),
        sa.Column("store", name(64), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("device", name(32)),
        sa.ForeignKeyConstraint(["store"], ["stores.id"], name="fk_claim_codes_store"),
        sa.PrimaryKeyConstraint("code_sha256", name="pk_claim_codes"),
    )
    op.create_table(
        "consents",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("member", name(32), nullable=False),
        sa.Column("purpose", name(32), nullable=False),
        sa.Column("text_version", sa.Integer(), nullable=False),
        sa.Column("text_sha256", name(64), nullable=False),
        sa.Column("language", name(8), nullable=False),
        sa.Column("shown_at", UtcTime()),
        sa.Column("accepted_at", UtcTime(), nullable=False),
        sa.Column("channel", name(32), nullable=False),
        sa.Column("store", name(64)),
        sa.Column("device", name(32)),
        sa.Column("token", name(32)),
        sa.Column("withdrawn_at", UtcTime()),
        sa.ForeignKeyConstraint(["member"], ["members.id"], name="fk_consents_member"),
        sa.PrimaryKeyConstraint("id", name="pk_consents"),
    )
    op.create_index("ix_consents_member", "consents", ["member"])
    op.create_table(
        "devices",
        sa.Column("id", name(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("store", name(64), nullable=False),
        sa.Column("public_key", name(64), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("token_generation", sa.Integer(), nullable=False),
        sa.Column("epoch", name(64), nullable=False),
        sa.Column("revoked_at", UtcTime()),
        sa.Column("claimed_at", UtcTime(), nullable=False),
        sa.Column("seen_at", UtcTime()),
        sa.Column("heartbeat", sa.Text()),
        sa.ForeignKeyConstraint(["store"], ["stores.id"], name="fk_devices_store"),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.UniqueConstraint("number", name="uq_devices_number"),
        sa.UniqueConstraint("public_key", name="uq_devices_public_key"),
    )
    op.create_table(
        "ledger",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("member", name(32), nullable=False),
        sa.Column("kind", name(16), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("booked_at", UtcTime(), nullable=False),
        sa.Column("row_id", name(64), nullable=False),
        sa.Column("business_day", sa.Date(), nullable=False),
        sa.Column("store", name(64)),
        sa.Column("till", name(64)),
        sa.Column("shift", name(64)),
        sa.Column("number", name(64)),
        sa.ForeignKeyConstraint(["member"], ["members.id"], name="fk_ledger_member"),
        sa.PrimaryKeyConstraint("id", name="pk_ledger"),
        sa.UniqueConstraint("business_day", "store", "till", "shift", "number", "kind", name="uq_ledger_receipt"),
        sa.UniqueConstraint("row_id", "kind", "business_day", name="uq_ledger_row"),
    )
    op.create_index("ix_ledger_member", "ledger", ["member"])
    op.create_table(
        "receipts",
        sa.Column("business_day", sa.Date(), nullable=False),
        sa.Column("store", name(64), nullable=False),
        sa.Column("till", name(64), nullable=False),
        sa.Column("shift", name(64), nullable=False),
        sa.Column("number", name(64), nullable=False),
        sa.Column("row_id", name(64), nullable=False),
        sa.Column("device", name(32), nullable=False),
        sa.Column("epoch", name(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("pay", sa.BigInteger(), nullable=False),
        sa.Column("earned", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_sha256", name(64), nullable=False),
        sa.Column("member", name(32)),
        sa.Column("token", name(32)),
        sa.ForeignKeyConstraint(["member"], ["members.id"], name="fk_receipts_member"),
        sa.PrimaryKeyConstraint("business_day", "store", "till", "shift", "number", name="pk_receipts"),
        sa.UniqueConstraint("row_id", "business_day", name="uq_receipts_row"),
        postgresql_partition_by="RANGE (business_day)",
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute("CREATE TABLE receipts_other PARTITION OF receipts DEFAULT")
    op.create_index("ix_receipts_token", "receipts", ["token"])
    op.create_table(
        "tills",
        sa.Column("store", name(64), nullable=False),
        sa.Column("id", name(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["store"], ["stores.id"], name="fk_tills_store"),
        sa.PrimaryKeyConstraint("store", "id", name="pk_tills"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", name(32), nullable=False),
        sa.Column("bound_to", name(16)),
        sa.Column("member", name(32)),
        sa.Column("used_at", UtcTime()),
        sa.ForeignKeyConstraint(["member"], ["members.id"], name="fk_tokens_member"),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", name(32), nullable=False),
        sa.Column("token", name(32), nullable=False),
        sa.Column("phone", name(20), nullable=False),
        sa.Column("code_sha256", name(64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("language", name(8), nullable=False),
        sa.Column("text_version", sa.Integer(), nullable=False),
        sa.Column("advertising", sa.Boolean(), nullable=False),
        sa.Column("shown_at", UtcTime()),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("confirmed_at", UtcTime()),
        sa.ForeignKeyConstraint(["token"], ["tokens.id"], name="fk_attempts_token"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_phone", "attempts", ["phone"])
    op.create_index("ix_attempts_token", "attempts", ["token"])
    op.create_table(
        "epochs",
        sa.Column("device", name(32), nullable=False),
        sa.Column("epoch", name(64), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", name(64), nullable=False),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("closed_at", UtcTime()),
        sa.Column("reason", sa.Text()),
        sa.ForeignKeyConstraint(["device"], ["devices.id"], name="fk_epochs_device"),
        sa.PrimaryKeyConstraint("device", "epoch", name="pk_epochs"),
    )
    op.create_table(
        "rows",
        sa.Column("device", name(32), nullable=False),
        sa.Column("epoch", name(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("id", name(64), nullable=False),
        sa.Column("kind", name(32), nullable=False),
        sa.Column("at", name(64), nullable=False),
        sa.Column("hash", name(64), nullable=False),
        sa.Column("verdict", name(16), nullable=False),
        sa.Column("problem", sa.Text()),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["device", "epoch"], ["epochs.device", "epochs.epoch"], name="fk_rows_device_epoch"),
        sa.PrimaryKeyConstraint("device", "epoch", "seq", name="pk_rows"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("rows")
    op.drop_table("epochs")
    op.drop_table("attempts")
    op.drop_table("tokens")
    op.drop_table("tills")
    op.drop_table("receipts")
    op.drop_table("ledger")
    op.drop_table("devices")
    op.drop_table("consents")
    op.drop_table("claim_codes")
    op.drop_table("cards")
    op.drop_table("stores")
    op.drop_table("settings")
    op.drop_table("quarantine")
    op.drop_table("programmes")
    op.drop_table("members")
    op.drop_table("flags")
    op.drop_table("counters")
