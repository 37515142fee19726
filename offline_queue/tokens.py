"""Counters of enrolment tokens: handed out in blocks, never the same one twice."""

from __future__ import annotations

from dataclasses import dataclass

from offline_queue.transaction import Transaction

COUNTERS = 1 << 24
"""A token's counter has 24 bits; its hour, which is part of the token too, keeps a second round apart."""


@dataclass(frozen=True)
class ReserveTokens:
    """Take `count` counters in a row; the result is the first one."""

    count: int

    def apply(self, transaction: Transaction) -> int:
        """Never refused."""
        first = transaction.state().next_token
        if first + self.count > COUNTERS:
            first = 0
        transaction.run("UPDATE queue_state SET next_token = ?", (first + self.count,))
        return first
