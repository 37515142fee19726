"""What a person orders about a print job of the running agent, and what it answers, for the command line."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final, Literal

from agent.api.admin_socket import Answer, CommandRefused, call
from agent.printing.job_words import job_in_words
from agent.receipts.slip_printing import Ended, watch
from loyalty.errors import TillmateError
from loyalty.i18n import Language, text
from offline_queue.print_jobs import IN_PRINTER, JobState

_UNDER_WAY: Final = ("queued", "sending", "held")


class OrderRefused(TillmateError):
    """The agent did not do it. `sentence` says why and what to do instead; `state` and `note` are those of the job."""

    code: ClassVar[str] = "order_refused"

    def __init__(self, sentence: str, job: int, detail: str, state: JobState = "unknown", note: str = "") -> None:
        super().__init__(detail, job=job)
        self.sentence, self.job, self.detail, self.state, self.note = sentence, job, detail, state, note

    def said(self, language: Language) -> str:
        """In words."""
        state = job_in_words(self.state, self.note, language)
        return text(f"cli.job_refused_{self.sentence}", language, job=self.job, state=state, detail=self.detail)


def print_again(socket: Path, job: int, within: float) -> Ended:
    """Order a copy and see what becomes of it. Raises OrderRefused, AdminUnreachable."""
    before = _job(socket, job)
    try:
        ordered = call(socket, {"do": "print_again", "job": job}, within)
    except CommandRefused as refused:
        raise _why(refused, "again", job, _job(socket, job)) from refused
    return watch(socket, str(before["printer"]), int(str(ordered["job"])))


def drop_job(socket: Path, job: int, within: float) -> Literal["dropped", "left"]:
    """Have it not printed, or, where that is not known, left as it is. Raises OrderRefused, AdminUnreachable."""
    before = _job(socket, job)
    try:
        call(socket, {"do": "print_drop", "job": job}, within)
    except CommandRefused as refused:
        raise _why(refused, "drop", job, _job(socket, job)) from refused
    waited = before["state"] in _UNDER_WAY
    return (
        "dropped" if waited and _job(socket, job)["state"] != "unknown" else "left"
    )  # it may have gone out in between


def _job(socket: Path, job: int) -> Answer:
    try:
        return call(socket, {"do": "print_job", "job": job})
    except CommandRefused as refused:
        raise _why(refused, "", job, {}) from refused


def _why(refused: CommandRefused, order: str, job: int, before: Answer) -> OrderRefused:
    state: JobState = before.get("state", "unknown")  # type: ignore[assignment]
    note = str(before.get("note", ""))
    sentence = {"job_unknown": "unknown", "bad_document": "document"}.get(refused.reason, "other")
    if refused.reason == "job_not_now":
        kept = "in_printer" if note == IN_PRINTER else "sending" if state == "sending" else "over"
        sentence = order if order == "again" else kept
    return OrderRefused(sentence, job, str(refused), state, note)
