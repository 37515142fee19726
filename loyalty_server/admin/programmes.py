"""Programme revisions: those that there are, and publishing the next one as `tillmate-server programme publish` does."""

from __future__ import annotations

from sqlalchemy import Connection, select

from loyalty.programme import ProgrammeError, load
from loyalty_server.admin.audit_log import Trace
from loyalty_server.admin.messages import ByNumber, NewProgramme, Published, Revision, Revisions
from loyalty_server.clock import Clock
from loyalty_server.keys import Keys
from loyalty_server.problems import refuse
from loyalty_server.programmes import publish, revision_in_force
from loyalty_server.storage.tables import programmes

_MOST = 2000


def revisions(connection: Connection, page: ByNumber, clock: Clock) -> Revisions:
    """Return a page of revisions, by their numbers."""
    behind = select(programmes).where(programmes.c.revision > page.after).order_by(programmes.c.revision)
    found = connection.execute(behind.limit(page.limit + 1)).all()
    current = revision_in_force(connection, clock.now())
    lines = tuple(
        Revision(
            revision=row.revision,
            starts_at=row.starts_at,
            published_at=row.published_at,
            in_force=row.revision == current,
        )
        for row in found[: page.limit]
    )
    return Revisions(lines, lines[-1].revision if len(found) > page.limit else None)


def publish_document(connection: Connection, keys: Keys, wish: NewProgramme, trace: Trace) -> Published:
    """Sign the document and hand it to the tills. Raises Refused `programme_invalid` or `revision_taken`."""
    try:
        programme = load(bytes(wish.document), "json")
    except ProgrammeError as error:
        raise refuse("programme_invalid", str(error)[:_MOST]) from error
    revision = programme.header.revision
    trace.on(revision=revision)
    try:
        return Published(revision, publish(connection, keys, programme, trace.now))
    except ValueError as error:
        raise refuse("revision_taken", str(error)) from error
