"""A process for the kill tests: a queue and a print loop; orders receipts two at a time and says the number of each order.

till_process.py QUEUE PORT PROFILE [last]      `last`: orders nothing, prints what is left, and ends
"""

from __future__ import annotations

import sys
import threading
from itertools import count
from pathlib import Path

from agent.clock import SystemClock
from agent.printing.loop import PrinterSettings, PrintLoop
from agent.printing.patience import Patience
from agent.status import Status
from drivers.printers import tcp
from drivers.printers.escpos.profile import load_profile
from offline_queue import NewJob, Queue, QueuePrint, Reader
from offline_queue.print_jobs import Job
from receipt_templates.document import Document, Text, to_json

NAME, WIDTH = "receipt", 80
PATIENCE = Patience(ask_every=0.2, late_fences_end=0.05)


def numbered(number: int) -> Document:
    """A receipt that tells its number in every line."""
    return Document(tuple(Text(f"Чек {number}: строка {line}") for line in range(15)), "ru")


def under_way(reader: Reader) -> list[Job]:
    return reader.jobs(("queued", "sending", "held"), NAME)


def main() -> None:
    path, port, profile = Path(sys.argv[1]), int(sys.argv[2]), load_profile(sys.argv[3])
    clock, options, stop, tick = SystemClock(), tcp.Options("127.0.0.1", port), threading.Event(), threading.Event()
    queue = Queue.open(path, clock)
    settings = PrinterSettings(NAME, profile, WIDTH)
    loop = PrintLoop(settings, lambda: tcp.DRIVER.open(options), queue, path, Status(clock), clock, PATIENCE)
    threads = [threading.Thread(target=each.run, args=(stop,), daemon=True) for each in (queue, loop)]
    for thread in threads:
        thread.start()
    reader = Reader(path)
    for number in count(len(reader.jobs(("queued", "sending", "printed", "sent", "held", "unknown", "failed"))) + 1):
        if sys.argv[4:] == ["last"] and not under_way(reader):
            break
        if sys.argv[4:] != ["last"]:
            queue.submit(QueuePrint(NewJob(NAME, to_json(numbered(number))))).result(10)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
        loop.wake()
        while len(under_way(reader)) > 1 or (sys.argv[4:] and under_way(reader)):
            tick.wait(0.005)
    stop.set()
    for thread in threads:
        thread.join(5)


if __name__ == "__main__":
    main()
