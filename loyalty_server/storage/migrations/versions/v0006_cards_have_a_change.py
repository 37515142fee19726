"""Members know which change gave them their newest card, so that tills are not told of the same cards again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0006"
down_revision = "v0005"


def upgrade() -> None:
    """Whoever is here already counts as having got his cards with his last change."""
    op.add_column("members", sa.Column("cards_change", sa.BigInteger, nullable=False, server_default="0"))
    op.execute("UPDATE members SET cards_change = change")
