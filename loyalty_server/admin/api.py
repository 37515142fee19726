"""/v1/admin: operators are recognised, their calls answered, and each one written down in the audit log.

What changes something is one transaction with its line in the log. A call that only reads is written down before it is
answered, and one that is refused, too. Calls beyond an operator's rate are not: the rate is what bounds the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import msgspec
from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loyalty_server.admin import cards, chain, corrections, erasure, flags, members, programmes, reports
from loyalty_server.admin.audit_log import Trace
from loyalty_server.admin.messages import (
    ByName,
    ByNumber,
    Cards,
    ClaimCode,
    Close,
    Closed,
    CodeFor,
    Corrected,
    Correction,
    DayReport,
    Days,
    Devices,
    Erased,
    Find,
    Flags,
    Found,
    LostCard,
    Member,
    NewProgramme,
    Nothing,
    Points,
    Published,
    Revisions,
    Revoked,
    Stores,
)
from loyalty_server.admin.operators import Operator, recognise
from loyalty_server.app import application
from loyalty_server.edge import Server, decode, json_reply, read_body
from loyalty_server.problems import Refused, refuse
from loyalty_server.search import holder
from loyalty_server.slips import plain

W = TypeVar("W", bound=msgspec.Struct)

_LONGEST_NAME = 64


class Asked(NamedTuple):
    """What an endpoint works with: the transaction, the names in the address, and the trace, which it tells whom it is about."""

    server: Server
    connection: Connection
    names: Mapping[str, str]
    trace: Trace


@dataclass(frozen=True)
class Endpoint(Generic[W]):
    """One call. `wish` is read from the body, of a GET from the query; `writes` = not for who may only read."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    name: str
    summary: str
    wish: type[W]
    answer: type[msgspec.Struct]
    do: Callable[[Asked, W], msgspec.Struct]
    writes: bool = False
    refusals: tuple[int, ...] = ()


def _close_flag(asked: Asked, wish: Close) -> Closed:
    return flags.close(asked.connection, asked.names["flag"], wish.note, asked.trace)


def _find(asked: Asked, wish: Find) -> Found:
    asked.server.rates.search(f"operator {asked.trace.operator}", asked.trace.now)
    row = holder(asked.connection, wish.card, wish.phone)
    if row is None:
        return Found(None)
    asked.trace.on(member=row.id)
    return Found(row.id)


def _member(asked: Asked, _: Nothing) -> Member:
    return members.member(asked.connection, asked.names["member"], asked.trace)


def _correct(asked: Asked, wish: Correction) -> Corrected:
    return corrections.correct(asked.connection, asked.names["correction"], wish, asked.trace)


def _erase(asked: Asked, _: Nothing) -> Erased:
    return erasure.erase(asked.connection, asked.names["member"], asked.trace)


def _replace_card(asked: Asked, wish: LostCard) -> Cards:
    return cards.replace_card(asked.connection, asked.names["member"], wish, asked.trace)


def _device_code(asked: Asked, wish: CodeFor) -> ClaimCode:
    return chain.device_code(asked.connection, wish, asked.trace)


def _revoke_device(asked: Asked, _: Nothing) -> Revoked:
    return chain.revoke_device(asked.connection, asked.names["device"], asked.trace)


def _publish(asked: Asked, wish: NewProgramme) -> Published:
    return programmes.publish_document(asked.connection, asked.server.keys, wish, asked.trace)


ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint("GET", "/v1/admin/stores", "stores", "Stores with their tills",
             ByName, Stores, lambda asked, page: chain.stores(asked.connection, page)),
    Endpoint("GET", "/v1/admin/devices", "devices", "Store PCs: versions, queues, the last heartbeat",
             ByNumber, Devices, lambda asked, page: chain.devices(asked.connection, page)),
    Endpoint("POST", "/v1/admin/devices/codes", "device_code", "A one-time code for a store PC",
             CodeFor, ClaimCode, _device_code, writes=True, refusals=(404,)),
    Endpoint("POST", "/v1/admin/devices/{device}/revoke", "revoke_device", "Refuse whatever this device asks",
             Nothing, Revoked, _revoke_device, writes=True, refusals=(404,)),
    Endpoint("GET", "/v1/admin/programmes", "programmes", "Programme revisions", ByNumber, Revisions,
             lambda asked, page: programmes.revisions(asked.connection, page, asked.server.clock)),
    Endpoint("POST", "/v1/admin/programmes", "publish", "Sign a revision and hand it to the tills",
             NewProgramme, Published, _publish, writes=True, refusals=(409, 422)),
    Endpoint("GET", "/v1/admin/flags", "flags", "What people should see to, and how",
             ByNumber, Flags, lambda asked, page: flags.open_flags(asked.connection, page)),
    Endpoint("POST", "/v1/admin/flags/{flag}/close", "close_flag", "Somebody has seen to it",
             Close, Closed, _close_flag, writes=True, refusals=(404, 409)),
    Endpoint("POST", "/v1/admin/search", "find_member", "The member with a card or a telephone",
             Find, Found, _find),
    Endpoint("GET", "/v1/admin/members/{member}", "member", "A member: points, lots, cards, consents, the last entries",
             Nothing, Member, _member, refusals=(404,)),
    Endpoint("DELETE", "/v1/admin/members/{member}", "erase", "Forget a member; what was booked stays",
             Nothing, Erased, _erase, writes=True, refusals=(404,)),
    Endpoint("POST", "/v1/admin/members/{member}/cards", "replace_card", "Block a lost card, give another one",
             LostCard, Cards, _replace_card, writes=True, refusals=(404, 409)),
    Endpoint("PUT", "/v1/admin/corrections/{correction}", "correct", "Give or take points, once for this id",
             Correction, Corrected, _correct, writes=True, refusals=(404, 409)),
    Endpoint("GET", "/v1/admin/reports/days", "days", "Receipts and points by business day and store",
             Days, DayReport, lambda asked, days: reports.days(asked.connection, days)),
    Endpoint("GET", "/v1/admin/reports/points", "points", "What members have, and what they owe",
             Nothing, Points, lambda asked, _: reports.points(asked.connection)),
)  # fmt: skip


def make_admin_app(server: Server) -> Starlette:
    """Return the application for the port of the operators."""
    return application(server, [_route(server, endpoint) for endpoint in ENDPOINTS])


def _route(server: Server, endpoint: Endpoint[W]) -> Route:
    async def answer(request: Request) -> Response:
        operator = await run_in_threadpool(_operator, server, request)
        trace = Trace(operator.name, f"{endpoint.method} {endpoint.path}", server.clock.now())
        try:
            if endpoint.writes and operator.role != "write":
                raise refuse("operator_reads_only")
            wish = await _wish(server, endpoint, request)
            return json_reply(await run_in_threadpool(_answer, server, endpoint, trace, wish, request))
        except Refused as refused:
            await run_in_threadpool(_write_down, server, trace, refused.problem.code)
            raise

    return Route(endpoint.path, answer, methods=[endpoint.method])


def _operator(server: Server, request: Request) -> Operator:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise refuse("operator_unknown")
    with server.database.reading() as connection:
        operator = recognise(connection, token.strip())
    if operator is None:
        raise refuse("operator_unknown")
    server.rates.call(f"operator {operator.name}", server.clock.now())
    return operator


async def _wish(server: Server, endpoint: Endpoint[W], request: Request) -> W:
    if endpoint.method == "GET":
        try:
            return msgspec.convert(dict(request.query_params), endpoint.wish, strict=False)
        except msgspec.ValidationError as error:
            raise refuse("malformed", str(error)[:200]) from error
    if not endpoint.wish.__struct_fields__:
        return endpoint.wish()
    return decode(await read_body(request, server.limits), endpoint.wish)


def _answer(server: Server, endpoint: Endpoint[W], trace: Trace, wish: W, request: Request) -> msgspec.Struct:
    names = {name: plain(text, _LONGEST_NAME) for name, text in request.path_params.items()}
    if endpoint.writes:
        with server.database.writing() as connection:
            done = endpoint.do(Asked(server, connection, names, trace), wish)
            trace.write(connection)
        return done
    with server.database.reading() as connection:
        found = endpoint.do(Asked(server, connection, names, trace), wish)
    with server.database.writing() as connection:
        trace.write(connection)
    return found


def _write_down(server: Server, trace: Trace, code: str) -> None:
    with server.database.writing() as connection:
        trace.write(connection, code)
