"""What can be wrong with the queue file, by what the caller must do.

TillmateError
├── QueueLocked            another agent holds the file: stop, exit 75
├── QueueDamaged           the file cannot be trusted: stop, exit 65, restore it or call store IT
│   └── QueueMismatch      the file is sound, but it is not the queue of this device: the same exit
├── QueueFull              nothing was written: say so at the till, promise nothing
│   └── QueueClosed        the agent is stopping
├── QueueUnclaimed         no device, no epoch yet: there is nothing to number rows in
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


class QueueFull(TillmateError):
    """The disk or the inbox is full; the operation was not carried out."""

    code = "queue_full"


class QueueClosed(QueueFull):
    """The writer has stopped; the operation was not carried out."""

    code = "queue_closed"


class QueueUnclaimed(TillmateError):
    """A row was to be written before the device was claimed."""

    code = "queue_unclaimed"


class UnknownJob(TillmateError):
    """There is no print job with this id."""

    code = "unknown_job"


class JobNotNow(TillmateError):
    """The print job is in a state that does not allow it; `state` and `note` say which."""

    code = "job_not_now"
