"""What can be wrong with the queue file, by what the caller must do.

TillmateError
├── QueueLocked            another agent holds the file: stop, exit 75
├── QueueDamaged           the file cannot be trusted: `open_queue` sets it aside; exit 65 where that is not possible
│   ├── QueueMismatch      the file is sound, but it is not the queue of this device
│   └── QueueSealed        the file is sound, but the key to it is not here
├── QueueTooNew            a newer release wrote the file: run that release; exit 65
├── DiskFailed             nobody knows whether it was written: the same once more tells
├── QueueFull              nothing was written: say so at the till, promise nothing
│   └── QueueClosed        the agent is stopping
├── QueueUnclaimed         no device, no epoch yet: there is nothing to number rows in
├── RowSpoiled             what is stored of this sale cannot be read any more
├── UnknownRow             no such row, or it is not rejected
├── UnknownJob             no such print job
└── JobNotNow              the print job is in a state that does not allow it
"""

from __future__ import annotations

from loyalty.errors import TillmateError


class QueueLocked(TillmateError):
    """Another process works with this queue file."""

    code = "queue_locked"


class QueueDamaged(TillmateError):
    """The file, or the disk under it, cannot be trusted. What was being written has an unknown outcome."""

    code = "queue_damaged"


class QueueMismatch(QueueDamaged):
    """The queue file is missing, or belongs to another claim than the identity beside it."""

    code = "queue_mismatch"


class QueueSealed(QueueDamaged):
    """The file, or a row of it, is sealed with a key that is not here."""

    code = "queue_sealed"


class QueueTooNew(TillmateError):
    """A newer release has changed the file in a way that this one does not understand."""

    code = "queue_too_new"


class DiskFailed(TillmateError):
    """The disk answered with an error while it wrote; the file was opened anew. The outcome is unknown."""

    code = "disk_failed"


class QueueFull(TillmateError):
    """The disk or the inbox is full; the operation was not carried out."""

    code = "queue_full"


class QueueClosed(QueueFull):
    """The writer has stopped; the operation was not carried out."""

    code = "queue_closed"


class QueueUnclaimed(TillmateError):
    """A row was to be written before the device was claimed."""

    code = "queue_unclaimed"


class RowSpoiled(TillmateError):
    """The disk has spoiled what is stored of this sale."""

    code = "row_spoiled"


class UnknownRow(TillmateError):
    """There is no such row, or not in a state that allows what was wanted."""

    code = "unknown_row"


class UnknownJob(TillmateError):
    """There is no print job with this id."""

    code = "unknown_job"


class JobNotNow(TillmateError):
    """The print job is in a state that does not allow it; `state` and `note` say which."""

    code = "job_not_now"
