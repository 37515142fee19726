"""People, and programs of theirs, who may ask /v1/admin: a name, a role, and a token that is shown once and never kept."""

from __future__ import annotations

import hmac
import re
import secrets
from datetime import datetime
from hashlib import sha256
from typing import Literal, NamedTuple

from sqlalchemy import Connection, select, update

from loyalty_server.storage.admin_tables import operators
from loyalty_server.storage.statements import insert_new

Role = Literal["read", "write"]


class Operator(NamedTuple):
    """Who asks."""

    name: str
    role: str


def new_operator(connection: Connection, name: str, role: Role, now: datetime) -> str:
    """Make an operator and return his token. Raises ValueError for what is no name or is taken, also by one revoked."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", name):
        raise ValueError("the name of an operator is 1-32 letters, digits, dots and hyphens")
    token = secrets.token_urlsafe(32)
    line = {"name": name, "token_sha256": _digest(token), "role": role, "created_at": now}
    if not insert_new(connection, operators, line):
        raise ValueError(f"there has been an operator {name!r}: take another name")
    return token


def revoke_operator(connection: Connection, name: str, now: datetime) -> None:
    """Let the token be good no more. Raises LookupError."""
    known = update(operators).where(operators.c.name == name, operators.c.revoked_at.is_(None))
    if connection.execute(known.values(revoked_at=now)).rowcount == 0:
        raise LookupError(f"there is no operator {name!r}")


def recognise(connection: Connection, token: str) -> Operator | None:
    """Return whose token this is. How long it takes tells nothing of how near a wrong one is."""
    digest, found = _digest(token), None
    for row in connection.execute(select(operators).where(operators.c.revoked_at.is_(None))):
        if hmac.compare_digest(row.token_sha256, digest):
            found = Operator(row.name, row.role)
    return found


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
