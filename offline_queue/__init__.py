"""What is stored on the store PC.

queue.db is precious: sales, print jobs and the rows on their way to the server, written by one thread, bound by a hash
chain, durable before anybody is told. members.db is a replica that can be thrown away and fetched again.

`Queue` takes operations (`CommitSale`, `QueueEnrolment`, `QueuePrint`, `SetJob`, `SettleRows`,
`ReserveTokens`, `BeginEpoch`); `Reader` answers questions; `Replica` is the members' side of it.
"""

from offline_queue.enrolments import QueueEnrolment
from offline_queue.errors import (
    QueueClosed,
    QueueDamaged,
    QueueFull,
    QueueLocked,
    QueueMismatch,
    QueueUnclaimed,
    UnknownJob,
)
from offline_queue.outbox import BeginEpoch, RejectedRow, SettleRows, StoredRow, first_broken
from offline_queue.print_jobs import Job, JobState, NewJob, QueuePrint, SetJob
from offline_queue.reader import Depth, Reader
from offline_queue.replica import Found, Replica, ReplicaAge, ReplicaReader
from offline_queue.replica_writer import ReplicaWriter
from offline_queue.sales import CommitSale, Committed, Conflict, StoredSale
from offline_queue.tokens import ReserveTokens
from offline_queue.transaction import Operation, Transaction
from offline_queue.writer import Changed, Queue

__all__ = [
    "BeginEpoch",
    "Changed",
    "CommitSale",
    "Committed",
    "Conflict",
    "Depth",
    "Found",
    "Job",
    "JobState",
    "NewJob",
    "Operation",
    "Queue",
    "QueueClosed",
    "QueueDamaged",
    "QueueEnrolment",
    "QueueFull",
    "QueueLocked",
    "QueueMismatch",
    "QueuePrint",
    "QueueUnclaimed",
    "Reader",
    "RejectedRow",
    "Replica",
    "ReplicaAge",
    "ReplicaReader",
    "ReplicaWriter",
    "ReserveTokens",
    "SetJob",
    "SettleRows",
    "StoredRow",
    "StoredSale",
    "Transaction",
    "UnknownJob",
    "first_broken",
]
