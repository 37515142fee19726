"""What is stored on the store PC.

queue.db is precious: sales, print jobs and the rows on their way to the server, written by one thread, bound by a hash
chain, durable before anybody is told. members.db is a replica that can be thrown away and fetched again.

`Queue` takes operations (`CommitSale`, `QueueEnrolment`, `QueuePrint`, `SetJob`, `SettleRows`,
`ReserveTokens`, `BeginEpoch`); `Reader` answers questions; `Replica` is the members' side of it.
"""

from offline_queue.ballast import Room
from offline_queue.care import Care
from offline_queue.delivery import DeliveryState, ForgetAttempts, NoteAttempt
from offline_queue.enrolments import QueueEnrolment
from offline_queue.epochs import BeginEpoch, EpochAgreed, FollowClaim, Handover, NewEpoch
from offline_queue.errors import (
    DiskFailed,
    QueueClosed,
    QueueDamaged,
    QueueFull,
    QueueLocked,
    QueueMismatch,
    QueueSealed,
    QueueTooNew,
    QueueUnclaimed,
    RowSpoiled,
    UnknownJob,
    UnknownRow,
)
from offline_queue.opening import Claimed, open_queue
from offline_queue.outbox import MarkDamaged, Quarantine, RejectedRow, RetryRow, SettleRows
from offline_queue.prepare import mark_suspect
from offline_queue.print_jobs import Job, JobState, NewJob, QueuePrint, SetJob
from offline_queue.reader import Depth, Reader
from offline_queue.replica import Found, Replica, ReplicaAge, ReplicaReader
from offline_queue.replica_writer import ReplicaWriter
from offline_queue.rows import StoredRow, first_broken
from offline_queue.sales import CommitSale, Committed, Conflict, StoredSale
from offline_queue.sealing import Keyring, QueueFile
from offline_queue.tokens import ReserveTokens
from offline_queue.transaction import Operation, Transaction
from offline_queue.writer import Changed, Queue

__all__ = [
    "BeginEpoch",
    "Care",
    "Changed",
    "Claimed",
    "CommitSale",
    "Committed",
    "Conflict",
    "DeliveryState",
    "Depth",
    "DiskFailed",
    "EpochAgreed",
    "FollowClaim",
    "ForgetAttempts",
    "Found",
    "Handover",
    "Job",
    "JobState",
    "Keyring",
    "MarkDamaged",
    "NewEpoch",
    "NewJob",
    "NoteAttempt",
    "Operation",
    "Quarantine",
    "Queue",
    "QueueClosed",
    "QueueDamaged",
    "QueueEnrolment",
    "QueueFile",
    "QueueFull",
    "QueueLocked",
    "QueueMismatch",
    "QueuePrint",
    "QueueSealed",
    "QueueTooNew",
    "QueueUnclaimed",
    "Reader",
    "RejectedRow",
    "Replica",
    "ReplicaAge",
    "ReplicaReader",
    "ReplicaWriter",
    "ReserveTokens",
    "RetryRow",
    "Room",
    "RowSpoiled",
    "SetJob",
    "SettleRows",
    "StoredRow",
    "StoredSale",
    "Transaction",
    "UnknownJob",
    "UnknownRow",
    "first_broken",
    "mark_suspect",
    "open_queue",
]
