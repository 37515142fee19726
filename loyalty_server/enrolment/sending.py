"""A code on its way to a phone: sent after the transaction that made it, and forgotten when it did not leave."""

from __future__ import annotations

import logging
from datetime import datetime

from loyalty.i18n import Language, text
from loyalty_server.edge import Server
from loyalty_server.enrolment import steps
from loyalty_server.enrolment.phone import masked
from loyalty_server.enrolment.sender import Sender, SendFailed
from loyalty_server.enrolment.steps import Sent

log = logging.getLogger(__name__)


def send_code(server: Server, sender: Sender, phone: str, sent: Sent, language: Language, now: datetime) -> bool:
    """Send the code of an attempt that has one; tell whether there is a code on its way."""
    if sent.code is None:
        return True
    try:
        sender.send(phone, sent.code, text("enrolment.code_message", language, code=sent.code), now)
    except SendFailed as error:
        server.meters.code("failed")
        log.warning("enrolment=code_not_sent phone=%s reason=%s", masked(phone), error)
        with server.database.writing() as connection:
            steps.withdraw(connection, sent.attempt)
        return False
    server.meters.code("sent")
    log.info("enrolment=code_sent phone=%s", masked(phone))
    return True
