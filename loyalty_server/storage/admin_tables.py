"""More tables, of the people who look after the programme.

operators, audit_log    who may ask /v1/admin, and who has asked what
corrections             points that somebody has given or taken by hand
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Table, Text

from loyalty_server.storage.tables import metadata
from loyalty_server.storage.types import Serial, UtcTime, name

operators = Table(
    "operators",
    metadata,
    Column("name", name(32), primary_key=True),
    Column("token_sha256", name(64), nullable=False, unique=True),
    Column("role", name(8), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
)
audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("operator", name(32), nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),  # ids alone
    Column("outcome", name(32), nullable=False),
)
corrections = Table(
    "corrections",
    metadata,
    Column("id", name(64), primary_key=True),
    Column("member", ForeignKey("members.id"), nullable=False, index=True),
    Column("points", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("operator", name(32), nullable=False),
    Column("row_id", name(64), nullable=False),  # of its entry in the ledger
    Column("at", UtcTime, nullable=False),
)
