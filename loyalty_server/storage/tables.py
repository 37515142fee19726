"""Every table of the server.

    stores, tills           who is who
    claim_codes, devices    store PCs and the codes that made them
    epochs, rows            how far each device's queue is booked, and what was said to each row
    receipts                each paper receipt once, with the sale as the till printed it
    returns                 returns and cancellations, each once; not settled = its sale is not in yet
    ledger                  points, append-only; members.balance is its sum, kept in the same transaction
    members, cards          who has points; `change` orders the feed to the tills, the lots stand in the state
    regulars                which stores' replicas hold whom
    coupon_uses, notes      coupons that members have used; consent changes and prompts that tills tell of
    holds                   points that are reserved for open receipts
    programmes              signed revisions
    tokens, attempts        enrolment QRs and the tries to confirm a phone with a code
    consents                what was agreed to, when, and in which wording
    flags, quarantine       what people should look at; rows that were not booked
    counters, settings      running numbers and the server's incarnation

The business day is part of every key of receipts and ledger. PostgreSQL keeps the receipts, which are most of all bytes,
in a partition a day (see loyalty_server.storage.partitions). Receipts, ledger and rows refer to members and epochs without
foreign keys: whoever books has locked those lines, none is ever deleted, and `verify` looks. Documents (sale bodies, member states) are JSON text; money
and points are 64-bit whole numbers.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from loyalty_server.storage.types import Serial, UtcTime, name

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_BURNING = text("burns_at IS NOT NULL")
_PENDING = text("settled_at IS NULL")
_CARRIED = text("origin_epoch IS NOT NULL")
_OPEN = text("closed_at IS NULL")
_NOT_EARNED = text("member IS NOT NULL AND earned = 0")

counters = Table(
    "counters", metadata, Column("name", name(32), primary_key=True), Column("value", BigInteger, nullable=False)
)
settings = Table(
    "settings", metadata, Column("name", name(32), primary_key=True), Column("value", Text, nullable=False)
)

stores = Table(
    "stores",
    metadata,
    Column("id", name(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("ident_generation", Integer, nullable=False),
    Column("redemption_stopped_at", UtcTime),
)
tills = Table(
    "tills",
    metadata,
    Column("store", ForeignKey("stores.id"), primary_key=True),
    Column("id", name(64), primary_key=True),
    Column("name", Text, nullable=False),
)

claim_codes = Table(
    "claim_codes",
    metadata,
    Column("code_sha256", name(64), primary_key=True),
    Column("store", ForeignKey("stores.id"), nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("device", name(32)),
    Column("replaces", name(32)),  # the device that goes on with a new key, if it is not a new one
)
devices = Table(
    "devices",
    metadata,
    Column("id", name(32), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("store", ForeignKey("stores.id"), nullable=False),
    Column("public_key", name(64), nullable=False, unique=True),
    Column("machine", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("token_generation", Integer, nullable=False),
    Column("epoch", name(64), nullable=False),
    Column("revoked_at", UtcTime),
    Column("claimed_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime),
    Column("heartbeat", Text),
    Column("old_public_key", name(64)),  # good until then, after the key was changed
    Column("old_key_until", UtcTime),
    Column("key_asked_at", UtcTime),  # when an operator asked for another key, until there is one
    Column("redemption_stopped_at", UtcTime),
)
epochs = Table(
    "epochs",
    metadata,
    Column("device", ForeignKey("devices.id"), primary_key=True),
    Column("epoch", name(64), primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
    Column("last_hash", name(64), nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    Column("closes_at", BigInteger),  # the last row of a closed epoch that may still come
    Column("heard_at", UtcTime),  # when a queue that goes on from what is booked was last heard of,
    Column("opened", BigInteger),  # and which opening of its file that was
    Column("instance", name(64)),
    Column("reason", Text),
    Index("ix_epochs_epoch", "epoch"),
)
rows = Table(
    "rows",
    metadata,
    Column("device", name(32), primary_key=True),
    Column("epoch", name(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("id", name(64), nullable=False),
    Column("kind", name(32), nullable=False),
    Column("at", name(64), nullable=False),
    Column("hash", name(64), nullable=False),
    Column("verdict", name(16), nullable=False),
    Column("problem", Text),
    Column("received_at", UtcTime, nullable=False),
    Column("origin_epoch", name(64)),
    Column("origin_seq", BigInteger),
    Column("corrects", BigInteger),
    Index("ix_rows_origin", "origin_epoch", "origin_seq", sqlite_where=_CARRIED, postgresql_where=_CARRIED),
)

audit_marks = Table(
    "audit_marks",
    metadata,
    Column("device", name(32), primary_key=True),
    Column("epoch", name(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),  # the engine was asked again for a share of the rows up to this one
)
leases = Table(
    "leases",
    metadata,
    Column("name", name(32), primary_key=True),  # what one process at a time does
    Column("holder", name(32), nullable=False),
    Column("until", UtcTime, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("id", name(32), primary_key=True),
    Column("balance", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("greeting", Text),
    Column("phone", name(20), unique=True),
    Column("change", BigInteger, nullable=False, unique=True),
    Column("cards_change", BigInteger, nullable=False, server_default="0"),  # the last one that was about his cards
    Column("created_at", UtcTime, nullable=False),
    Column("deleted_at", UtcTime),
    Column("lots_at", UtcTime),  # the latest that his lots know of; empty = nothing of his has ever been able to burn
    Column("burns_at", UtcTime),  # when the next lot burns
    Index("ix_members_burns_at", "burns_at", sqlite_where=_BURNING, postgresql_where=_BURNING),
)
cards = Table(
    "cards",
    metadata,
    Column("card", name(64), primary_key=True),
    Column("member", ForeignKey("members.id"), nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
    Column("blocked_at", UtcTime),  # lost: nobody's card any more, and never another member's
)

regulars = Table(
    "regulars",
    metadata,
    Column("store", name(64), primary_key=True),  # no references: see above
    Column("member", name(32), primary_key=True),
    Column("change", BigInteger, nullable=False),  # the member's, when he became one
)

holds = Table(
    "holds",
    metadata,
    Column("device", name(32), primary_key=True),  # no reference: its row is locked for as long as a batch takes
    Column("id", name(64), primary_key=True),
    Column("member", ForeignKey("members.id"), index=True),  # None: released before it was granted
    Column("points", BigInteger, nullable=False),
    Column("coupons", Text, nullable=False),
    Column("till", name(64), nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
    Column("over_at", UtcTime),  # when it was used or released
)

RECEIPT = ("business_day", "store", "till", "shift", "number")
"""The columns that name a paper receipt."""

receipts = Table(
    "receipts",
    metadata,
    Column("business_day", Date, primary_key=True),
    Column("store", name(64), primary_key=True),
    Column("till", name(64), primary_key=True),
    Column("shift", name(64), primary_key=True),
    Column("number", name(64), primary_key=True),
    Column("row_id", name(64), nullable=False),
    Column("device", name(32), nullable=False),
    Column("epoch", name(64), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("pay", BigInteger, nullable=False),
    Column("earned", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("body_sha256", name(64), nullable=False),
    Column("member", name(32)),
    UniqueConstraint("row_id", "business_day", name="uq_receipts_row"),
    # receipts of a member are found by their entries; those without points have none
    Index("ix_receipts_not_earned", "member", sqlite_where=_NOT_EARNED, postgresql_where=_NOT_EARNED),
    postgresql_partition_by="RANGE (business_day)",
)
ledger = Table(
    "ledger",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("member", name(32), nullable=False, index=True),
    Column("kind", name(16), nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("booked_at", UtcTime, nullable=False),
    Column("row_id", name(64), nullable=False),
    Column("business_day", Date, nullable=False),
    Column("store", name(64)),
    Column("till", name(64)),
    Column("shift", name(64)),
    Column("number", name(64)),
    Column("expires_at", UtcTime),  # of a credit: when its points burn; of a return_earn: when what it takes would have
    Column("of_row", name(64)),  # of a return: the row of its sale,
    Column("of_day", Date),  # and the day of that
    UniqueConstraint("row_id", "kind", "business_day", name="uq_ledger_row"),
    UniqueConstraint(*RECEIPT, "kind", name="uq_ledger_receipt"),
)

SALE = ("sale_day", "sale_store", "sale_till", "sale_shift", "sale_number")
"""The columns that name the receipt of which a return is."""

returns = Table(
    "returns",
    metadata,
    Column("row_id", name(64), primary_key=True),
    Column("kind", name(16), nullable=False),
    *(Column(part, Date if part == "business_day" else name(64), nullable=False) for part in RECEIPT),
    *(Column(part, Date if part == "sale_day" else name(64), nullable=False) for part in SALE),
    Column("device", name(32), nullable=False),
    Column("epoch", name(64), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("refund", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("body_sha256", name(64), nullable=False),
    Column("settled_at", UtcTime),
    Column("flagged_at", UtcTime),
    UniqueConstraint(*RECEIPT, "kind", name="uq_returns_receipt"),
    Index("ix_returns_sale", *SALE),
    Index("ix_returns_pending", *SALE, sqlite_where=_PENDING, postgresql_where=_PENDING),
)
coupon_uses = Table(
    "coupon_uses",
    metadata,
    Column("member", ForeignKey("members.id"), primary_key=True),
    Column("code", name(64), primary_key=True),
    Column("row_id", name(64), primary_key=True),
    Column("at", UtcTime, nullable=False),
)
notes = Table(
    "notes",
    metadata,
    Column("row_id", name(64), primary_key=True),
    Column("kind", name(16), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("device", name(32), nullable=False),
    Column("till", name(64), nullable=False),
    Column("member", ForeignKey("members.id")),
    Column("body", Text, nullable=False),
    Index("ix_notes_member_kind_at", "member", "kind", "at"),
)

programmes = Table(
    "programmes",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("starts_at", UtcTime, nullable=False),
    Column("document", Text, nullable=False),
    Column("jws", Text, nullable=False),
    Column("published_at", UtcTime, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", name(32), primary_key=True),
    Column("bound_to", name(16)),  # "receipt" or "till" once its row is in, else not known yet
    Column("member", ForeignKey("members.id")),
    Column("used_at", UtcTime),
    *(Column(part, Date if part == "business_day" else name(64)) for part in RECEIPT),  # the receipt that it stands on
)
attempts = Table(
    "attempts",
    metadata,
    Column("id", name(32), primary_key=True),
    Column("token", ForeignKey("tokens.id"), nullable=False, index=True),
    Column("phone", name(20), nullable=False, index=True),
    Column("code_sha256", name(64), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("language", name(8), nullable=False),
    Column("text_version", Integer, nullable=False),
    Column("advertising", Boolean, nullable=False),
    Column("shown_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("confirmed_at", UtcTime),
)
consents = Table(
    "consents",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("member", ForeignKey("members.id"), nullable=False, index=True),
    Column("purpose", name(32), nullable=False),
    Column("text_version", Integer, nullable=False),
    Column("text_sha256", name(64), nullable=False),
    Column("language", name(8), nullable=False),
    Column("shown_at", UtcTime),
    Column("accepted_at", UtcTime, nullable=False),
    Column("channel", name(32), nullable=False),
    Column("store", name(64)),
    Column("device", name(32)),
    Column("token", name(32)),
    Column("withdrawn_at", UtcTime),
)

flags = Table(
    "flags",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", name(32), nullable=False),
    Column("device", name(32), nullable=False),
    Column("row_id", name(64)),
    Column("till", name(64)),
    Column("member", name(32)),
    Column("detail", Text, nullable=False),
    Column("closed_at", UtcTime),
    Column("closed_by", name(32)),
    Column("closed_note", Text),
    Index("ix_flags_kind_at", "kind", "at"),
    Index("ix_flags_open", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
)
quarantine = Table(
    "quarantine",
    metadata,
    Column("device", name(32), primary_key=True),
    Column("epoch", name(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("hash", name(64), primary_key=True),
    Column("row_id", name(64), nullable=False),
    Column("kind", name(32), nullable=False),
    Column("at", name(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("reason", name(32), nullable=False),
    Column("received_at", UtcTime, nullable=False),
)
