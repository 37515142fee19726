"""What the admin socket can do with printers: take a finished document as a durable job, and say what became of one.

    {"do": "print", "printer": "receipt", "document": "{...}"} -> {"ok": true, "job": 12}
    {"do": "print_job", "job": 12}                             -> {"ok": true, "state": "printed", "note": ""}

`document` is the stored form of `receipt_templates.document`, as text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import closing
from typing import Final, Protocol

from agent.api.admin_socket import Answer, Command, CommandRefused, Request
from loyalty.errors import TillmateError
from offline_queue.print_jobs import NewJob, QueuePrint
from offline_queue.reader import Reader
from receipt_templates.document import DocumentError, from_json, to_json

STORED_WITHIN: Final = 3.0


class Writer(Protocol):
    """The queue's way in."""

    def submit(self, operation: QueuePrint, /) -> Future[int]:
        """Carry it out. Raises a TillmateError where it cannot even be taken."""
        ...


def print_commands(printers: Collection[str], writer: Writer, open_reader: Callable[[], Reader]) -> dict[str, Command]:
    """The commands, for `AdminSocket`."""

    def take(request: Request) -> Answer:
        printer = request.get("printer")
        if not isinstance(printer, str) or printer not in printers:
            raise CommandRefused("printer_unknown", f"no such printer; there are: {', '.join(sorted(printers))}")
        try:
            document = to_json(from_json(str(request.get("document")).encode()))
            return {"job": writer.submit(QueuePrint(NewJob(printer, document))).result(STORED_WITHIN)}
        except DocumentError as error:
            raise CommandRefused("bad_document", str(error)) from error
        except (TillmateError, NotInTime) as error:
            raise CommandRefused("not_stored", f"the queue did not take the job: {error}") from error

    def tell(request: Request) -> Answer:
        number = request.get("job")
        try:
            with closing(open_reader()) as reader:
                job = reader.job(number) if isinstance(number, int) else None
        except TillmateError as error:
            raise CommandRefused("queue_unreadable", str(error)) from error
        if job is None:
            raise CommandRefused("job_unknown", f"there is no print job {number}")
        return {"state": job.state, "note": job.note}

    return {"print": take, "print_job": tell}
