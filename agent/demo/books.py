"""Do the books agree: what the server has booked against what the till was promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.demo.pos import Receipt


@dataclass(frozen=True)
class Books:
    """The server's ledger beside the receipts that the till has the agent's word for."""

    acknowledged: int
    booked: int
    missing: tuple[str, ...]
    """Acknowledged and not booked: on their way while the queue holds them, lost if it does not."""
    surplus: tuple[str, ...]
    """Booked more than once, or never acknowledged."""

    @property
    def agree(self) -> bool:
        """Each acknowledged receipt is booked once, and no other."""
        return not self.missing and not self.surplus


def compare(ledger: Iterable[Mapping[str, str]], receipts: Iterable[Receipt]) -> Books:
    """Compare rows of the server's export with the register's receipts."""
    rows = {(row["number"], row["row_id"]) for row in ledger if row["number"]}
    booked = Counter(number for number, _ in rows)
    acknowledged = Counter(receipt.number for receipt in receipts)
    return Books(
        acknowledged=acknowledged.total(),
        booked=booked.total(),
        missing=tuple(sorted((acknowledged - booked).elements())),
        surplus=tuple(sorted((booked - acknowledged).elements())),
    )
