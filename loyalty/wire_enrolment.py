"""Messages between till and central server about joining at the till; the rest is in loyalty.wire."""

from __future__ import annotations

from typing import Literal

import msgspec

from loyalty.wire import Count, Time


class EnrolmentRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """POST /v1/enrolments: somebody joins at the till. A code is sent to the phone; the same wish again within half a
    minute sends no second one. `token` is one of this device's enrolment tokens, that of the open receipt if it has one.
    """

    token: str
    phone: str  # as it was typed
    consents: tuple[Literal["personal_data", "advertising"], ...]
    language: Literal["ru", "en"] = "ru"
    text_version: Count = 0  # of the text that was agreed to; 0 = the newest one
    shown_at: Time | None = None


class EnrolmentReply(msgspec.Struct, frozen=True, kw_only=True):
    """201: a code is on its way. `id` confirms it, until `expires_at`."""

    id: str
    phone: str  # masked
    expires_at: Time
    text_version: int


class EnrolmentCode(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/enrolments/{id}/confirm: what the member says that his phone has received."""

    token: str
    code: str


class EnrolmentDone(msgspec.Struct, frozen=True, kw_only=True):
    """200: the member with his card. `credited` None = the receipt's points follow with its sale. The same confirmation
    again gets the same answer for an hour.
    """

    member: str
    card: str
    balance: int
    credited: int | None
