"""The two steps of an enrolment as transactions: ask for a code, confirm it.

Every attempt has a secret id that only the browser which started it knows, so that two people with the same receipt
cannot use each other's code. The first one to confirm has the token; his own repeated answer (a lost reply) shows the
card again for an hour, anybody else meets a used token.
"""

from __future__ import annotations

import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Literal, NamedTuple

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from loyalty.i18n import Language
from loyalty_server import regulars
from loyalty_server.devices import find_by_number
from loyalty_server.enrolment.wording import PURPOSES, Wordings
from loyalty_server.keys import Keys
from loyalty_server.ledger import sum_of
from loyalty_server.members import add_member, balance_of, first_card, give_new_card, member_of_phone
from loyalty_server.notes import agree_anew
from loyalty_server.programmes import programme_in_force
from loyalty_server.sales import claim_receipt, receipt_of_token, tills_of
from loyalty_server.storage.tables import attempts, consents, tokens
from loyalty_server.tokens import GOOD_FOR, Token, lock_token, recognise, use

CODE_GOOD_FOR = timedelta(minutes=10)
TRIES = 5
CODES_PER_TOKEN = 6
CODES_PER_PHONE = 6
CLAIMS_PER_PHONE = 3
A_DAY = timedelta(days=1)
SHOWN_AGAIN = timedelta(hours=1)

_FIRST_SHOWN = datetime(2001, 1, 1, tzinfo=UTC)

Closed = Literal["unknown", "expired", "used"]
Channel = Literal["receipt_qr", "till"]
"""Where somebody agreed."""


class Open(NamedTuple):
    """The token may be used. `pending`: points of its receipt, None = the receipt is not in yet, 0 = none to come."""

    token: Token
    pending: int | None


@dataclass(frozen=True)
class Wish:
    """What the form said."""

    phone: str
    advertising: bool
    language: Language
    text_version: int
    shown_at: datetime | None


class Sent(NamedTuple):
    """A code is to be sent; `code` is None when the same wish has just had one."""

    attempt: str
    code: str | None


Refusal = Literal["too_many_codes", "too_many_claims"]


class Card(NamedTuple):
    """The member has the token's points: `credited` None = they follow with the receipt."""

    card: str
    balance: int
    credited: int | None
    member: str


class Wrong(NamedTuple):
    """Not the code; 0 left = ask for a new one. `phone` is whose code was asked for."""

    left: int
    phone: str


def visit(connection: Connection, keys: Keys, text: str, now: datetime) -> Open | Closed:
    """Tell what the page of this token shows."""
    token = recognise(keys, text)
    if token is None:
        return "unknown"
    line = connection.execute(select(tokens).where(tokens.c.id == token.id)).one_or_none()
    if line is not None and line.member is not None:
        return "used"
    if token.expired(now):
        return "expired"
    receipt = receipt_of_token(connection, token.id)
    if receipt is not None:
        return Open(token, receipt.earned)
    return Open(token, 0 if line is not None and line.bound_to == "till" else None)


def possible_showing(shown_at: datetime | None, now: datetime) -> datetime | None:
    """Return when a text was shown, as a phone or a till says; None where that cannot be."""
    return shown_at if shown_at is not None and _FIRST_SHOWN < shown_at <= now else None


def ask(connection: Connection, keys: Keys, token: Token, wish: Wish, now: datetime) -> Sent | Refusal:
    """Begin an attempt. The caller sends the code after the transaction."""
    lock_token(connection, token.id)
    last = _last_attempt(connection, token, wish)
    if last is not None and now - last.created_at < timedelta(seconds=30) and last.tries == 0:
        return Sent(last.id, None)
    refused = _too_many(connection, token, wish.phone, now)
    if refused is not None:
        return refused
    attempt, code = secrets.token_hex(16), f"{secrets.randbelow(10**6):06}"
    connection.execute(
        insert(attempts).values(
            id=attempt,
            token=token.id,
            phone=wish.phone,
            code_sha256=_sealed(keys, attempt, code),
            tries=0,
            language=wish.language,
            text_version=wish.text_version,
            advertising=wish.advertising,
            shown_at=wish.shown_at,
            created_at=now,
            expires_at=now + CODE_GOOD_FOR,
        )
    )
    return Sent(attempt, code)


def forget(connection: Connection, now: datetime) -> None:
    """Delete attempts whose token has no time left: most have the telephone of somebody who never joined."""
    connection.execute(delete(attempts).where(attempts.c.created_at <= now - GOOD_FOR - A_DAY))


def withdraw(connection: Connection, attempt: str) -> None:
    """Forget an attempt whose code never left, so that the next wish gets a code of its own."""
    connection.execute(delete(attempts).where(attempts.c.id == attempt))


def confirm(
    connection: Connection,
    keys: Keys,
    wordings: Wordings,
    token: Token,
    attempt: str,
    code: str,
    now: datetime,
    channel: Channel = "receipt_qr",
) -> Card | Wrong | Closed:
    """Check the code and, when it is right, make or find the member and give him the receipt's points."""
    device = find_by_number(connection, token.device_number)
    if device is not None:
        tills_of(connection, device.store)  # nobody settles a return of the receipt meanwhile
    line = lock_token(connection, token.id)
    tried = select(attempts).where(attempts.c.id == attempt, attempts.c.token == token.id).with_for_update()
    found = connection.execute(tried).one_or_none()
    right = hmac.compare_digest("" if found is None else found.code_sha256, _sealed(keys, attempt, code))
    if line.member is not None:
        again = found is not None and right and _confirmed_lately(found.confirmed_at, now)
        return _card(connection, token, line.member) if again else "used"
    if token.expired(now):
        return "expired"
    if found is None or now >= found.expires_at or found.tries >= TRIES:
        return Wrong(0, "" if found is None else found.phone)
    spent = update(attempts).where(attempts.c.id == attempt)
    connection.execute(spent.values(tries=found.tries + 1, confirmed_at=now if right else None))
    if not right:
        return Wrong(TRIES - found.tries - 1, found.phone)
    return _enrol(connection, wordings, token, found, channel, now)


def _confirmed_lately(confirmed_at: datetime | None, now: datetime) -> bool:
    return confirmed_at is not None and now < confirmed_at + SHOWN_AGAIN


def _enrol(
    connection: Connection,
    wordings: Wordings,
    token: Token,
    attempt: Row[tuple[object, ...]],
    channel: Channel,
    now: datetime,
) -> Card:
    member = _member(connection, token, attempt.phone, now)
    if first_card(connection, member) is None:
        give_new_card(connection, member, now)
    _note_consents(connection, wordings, token, attempt, channel, member)
    use(connection, token.id, member, now)
    receipt = receipt_of_token(connection, token.id)
    if receipt is not None:
        claim_receipt(connection, receipt, member, now)
    device = find_by_number(connection, token.device_number)
    if device is not None:
        regulars.welcome(connection, device.store, member)
    return _card(connection, token, member)


def _member(connection: Connection, token: Token, phone: str, now: datetime) -> str:
    """Who has this phone, made now if nobody has; who has it already agrees anew."""
    if member_of_phone(connection, phone) is None:
        programme = programme_in_force(connection, now)
        joined = programme.day(now) if programme is not None else now.date()
        with suppress(LookupError):  # he has just joined by another token
            return add_member(connection, now, joined=joined, phone=phone)
    member = str(member_of_phone(connection, phone))
    device = find_by_number(connection, token.device_number)
    agree_anew(connection, member, "" if device is None else device.id, now)
    return member


def _card(connection: Connection, token: Token, member: str) -> Card:
    card = first_card(connection, member) or ""
    receipt = receipt_of_token(connection, token.id)
    credited = None if receipt is None else sum_of(connection, receipt.row_id)
    return Card(card, balance_of(connection, member), credited, member)


def _note_consents(
    connection: Connection,
    wordings: Wordings,
    token: Token,
    attempt: Row[tuple[object, ...]],
    channel: Channel,
    member: str,
) -> None:
    device = find_by_number(connection, token.device_number)
    for purpose in PURPOSES:
        if purpose == "advertising" and not attempt.advertising:
            continue
        wording = wordings.find(purpose, attempt.text_version, attempt.language)
        connection.execute(
            insert(consents).values(
                member=member,
                purpose=purpose,
                text_version=attempt.text_version,
                text_sha256="" if wording is None else wording.sha256,
                language=attempt.language,
                shown_at=attempt.shown_at,
                accepted_at=attempt.created_at,
                channel=channel,
                store=None if device is None else device.store,
                device=None if device is None else device.id,
                token=token.id,
            )
        )


def _last_attempt(connection: Connection, token: Token, wish: Wish) -> Row[tuple[object, ...]] | None:
    same = select(attempts).where(attempts.c.token == token.id, attempts.c.phone == wish.phone)
    same = same.where(attempts.c.advertising == wish.advertising, attempts.c.language == wish.language)
    return connection.execute(same.order_by(attempts.c.created_at.desc()).limit(1)).one_or_none()


def _too_many(connection: Connection, token: Token, phone: str, now: datetime) -> Refusal | None:
    codes = select(func.count()).select_from(attempts)
    today = attempts.c.created_at > now - A_DAY
    if connection.execute(codes.where(attempts.c.token == token.id)).scalar_one() >= CODES_PER_TOKEN:
        return "too_many_codes"
    if connection.execute(codes.where(attempts.c.phone == phone, today)).scalar_one() >= CODES_PER_PHONE:
        return "too_many_codes"
    claimed = codes.where(attempts.c.phone == phone, attempts.c.confirmed_at > now - A_DAY)
    return "too_many_claims" if connection.execute(claimed).scalar_one() >= CLAIMS_PER_PHONE else None


def _sealed(keys: Keys, attempt: str, code: str) -> str:
    return hmac.new(keys.code(attempt), code.encode(), sha256).hexdigest()
