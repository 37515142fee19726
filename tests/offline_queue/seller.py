"""A process for the kill tests: commits sales one after another and says each seq on stdout once it is acknowledged."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from loyalty.quote import Basket, Line, Quote
from loyalty.wire import ReceiptId, Sale
from offline_queue import BeginEpoch, CommitSale, NewJob, Queue, Reader


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


QUOTE = msgspec.json.decode(
    b'{"total":50000,"discount":0,"line_discounts":[0],"max_redeem":0,"redeemed":0,"line_redeemed":[0],"pay":50000,'
    b'"earned":500,"balance_after":500,"tier":null,"tier_after":null,"to_next_tier":null,"stamps_after":{},'
    b'"free_units":{},"gifts":[],"slips":[],"coupons_used":[],"why":[],"prompt":{},"programme_revision":1,"engine":1}',
    type=Quote,
)


def commit(number: int) -> CommitSale:
    sale = Sale(
        receipt=ReceiptId(store="S1", till="1", business_day=date(2026, 12, 12), shift="1", number=str(number)),
        basket=Basket(lines=(Line(sum=50000),)),
        quote=QUOTE,
        offline=True,
    )
    job = NewJob("receipt", b"{}", f"sale-{number}")
    return CommitSale(f"sale-{number}", f"r-{number}", "sale", datetime.now(UTC), sale, str(number).encode(), job)


def main() -> None:
    path = Path(sys.argv[1])
    queue = Queue.open(path, Clock())
    threading.Thread(target=queue.run, args=(threading.Event(),), daemon=True).start()
    queue.submit(BeginEpoch("device-1", "epoch-1")).result()
    number = Reader(path).depth().last_seq
    while True:
        number += 1
        committed = queue.submit(commit(number)).result()
        sys.stdout.write(f"{committed.seq} {number}\n")
        sys.stdout.flush()


main()
