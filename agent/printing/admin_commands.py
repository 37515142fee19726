"""What the admin socket can do with printers: take a finished document as a durable job, say what became of one, and
carry out what a person decides about one.

    {"do": "print", "printer": "receipt", "document": "{...}"} -> {"ok": true, "job": 12}
    {"do": "print_job", "job": 12}                             -> {"ok": true, "printer": "receipt", "state": "printed", "note": ""}
    {"do": "print_again", "job": 12}                           -> {"ok": true, "job": 13}    a copy, marked as one
    {"do": "print_drop", "job": 12}                            -> {"ok": true}

`document` is the stored form of `receipt_templates.document`, as text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import TimeoutError as NotInTime
from contextlib import contextmanager

from agent.api.admin_socket import Answer, Command, CommandRefused, Request
from agent.printing.decisions import STORED_WITHIN, PrintDecisions, Writer
from loyalty.errors import TillmateError
from offline_queue.errors import JobNotNow, UnknownJob
from offline_queue.print_jobs import NewJob, QueuePrint
from receipt_templates.document import DocumentError, from_json, to_json


def print_commands(printers: Collection[str], writer: Writer, decisions: PrintDecisions) -> dict[str, Command]:
    """The commands, for `AdminSocket`."""

    def take(request: Request) -> Answer:
        printer = request.get("printer")
        if not isinstance(printer, str) or printer not in printers:
            raise CommandRefused("printer_unknown", f"no such printer; there are: {', '.join(sorted(printers))}")
        with _refusing():
            document = to_json(from_json(str(request.get("document")).encode()))
            return {"job": writer.submit(QueuePrint(NewJob(printer, document))).result(STORED_WITHIN)}

    def tell(request: Request) -> Answer:
        with _refusing():
            job = decisions.job(_number(request))
        return {"printer": job.printer, "state": job.state, "note": job.note}

    def again(request: Request) -> Answer:
        with _refusing():
            return {"job": decisions.again(_number(request))}

    def drop(request: Request) -> Answer:
        with _refusing():
            decisions.drop(_number(request))
        return {}

    return {"print": take, "print_job": tell, "print_again": again, "print_drop": drop}


def _number(request: Request) -> int:
    number = request.get("job")
    if not isinstance(number, int):
        raise CommandRefused("job_unknown", f"{number!r} is not the number of a print job")
    return number


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except UnknownJob as error:
        raise CommandRefused("job_unknown", str(error)) from error
    except JobNotNow as error:
        raise CommandRefused("job_not_now", str(error)) from error
    except DocumentError as error:
        raise CommandRefused("bad_document", str(error)) from error
    except (TillmateError, NotInTime) as error:
        raise CommandRefused("not_stored", f"the queue did not take it: {error}") from error
