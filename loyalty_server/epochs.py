"""Epochs: a device's queue that cannot go on as it was goes on under a new one, which the till has made itself.

A queue file that became unreadable, an old copy of it, two copies of it at work: in each case the numbers of its rows
would be taken for others. So the old epoch is closed where the till says that it ended, and rows are counted from 1 on
again; rows that were carried over say where they stood (`origin`), and what is booked there is not booked twice.

The first who asks gets it. When the epoch that is asked to end has been closed before, two queues of one device may be
at work: as long as the other one is, or on another machine, only a claim with an operator's code goes on.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from loyalty.wire import EpochReply, EpochRequest, Heartbeat, Problem
from loyalty_server.devices import Device, begin_epoch, close_epoch, is_epoch, lock_device
from loyalty_server.flags import flag
from loyalty_server.problems import problem, refuse
from loyalty_server.storage.tables import devices, epochs

log = logging.getLogger(__name__)

LIVE = timedelta(minutes=15)
"""A queue that was heard of within this time is at work."""
_LONGEST = 64
_MOST = 1 << 62


def open_epoch(connection: Connection, device: Device, wish: EpochRequest, now: datetime) -> EpochReply | Problem:
    """Close the old epoch and open the new one; the same wish again gets the same answer.

    A refusal comes back as a problem, because the flag that goes with it must be committed. Raises Refused for a wish
    that is none.
    """
    if not (is_epoch(wish.epoch) and 0 <= wish.last_seq < _MOST):
        raise refuse("malformed", "epoch must be 1-64 letters and digits, last_seq a possible number")
    device = lock_device(connection, device.id)
    known = connection.execute(select(epochs).where(epochs.c.epoch == wish.epoch)).one_or_none()
    if known is not None:
        mine = known.device == device.id and known.epoch == device.epoch
        return _welcome(connection, device, wish) if mine else problem("epoch_taken")
    if wish.machine != device.machine or _another_at_work(connection, device, wish, now):
        flag(connection, "epoch_refused", now, device, detail=f"reason={wish.reason}")
        log.error("epoch refused device=%s reason=%s", device.id, wish.reason)
        return problem("epoch_code")
    close_epoch(connection, device, wish.reason, now, wish.last_seq)
    begin_epoch(connection, device.id, wish.epoch, now)
    connection.execute(update(devices).where(devices.c.id == device.id).values(epoch=wish.epoch))
    flag(connection, "epoch", now, device, detail=f"reason={wish.reason}")
    log.warning("epoch opened device=%s reason=%s", device.id, wish.reason)
    return _welcome(connection, device, wish)


def heard(connection: Connection, device: str, beat: Heartbeat, now: datetime) -> None:
    """A queue of this epoch that goes on from what is booked is at work."""
    here = update(epochs).where(epochs.c.device == device, epochs.c.epoch == beat.epoch)
    connection.execute(here.values(heard_at=now, opened=beat.opened, instance=beat.instance[:_LONGEST]))


def _another_at_work(connection: Connection, device: Device, wish: EpochRequest, now: datetime) -> bool:
    if wish.old_epoch == device.epoch:
        return False
    here = select(epochs).where(epochs.c.device == device.id, epochs.c.epoch == device.epoch)
    epoch = connection.execute(here).one()
    if epoch.heard_at is None or now - epoch.heard_at >= LIVE:
        return False
    return not wish.instance or epoch.instance != wish.instance


def _welcome(connection: Connection, device: Device, wish: EpochRequest) -> EpochReply:
    old = select(epochs.c.last_seq).where(epochs.c.device == device.id, epochs.c.epoch == wish.old_epoch)
    booked = connection.execute(old).scalar_one_or_none()
    return EpochReply(device=device.id, epoch=wish.epoch, old_watermark=booked or 0)
