"""One function for each call of the local API: decode, ask the till, encode. Nothing is decided here.

A call of the POS becomes a message with a Future in the inbox of its till; the answer is a struct of `agent.views`,
or a problem that ends the handler as `Refused`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from importlib.resources import files
from typing import Final, Literal, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from agent.api import guard, refusals, schemas, screen
from agent.api.backend import Backend
from agent.api.events import EventStream
from agent.messages import Answer, CancelBasket, CommitSale, Enrol, Identify, PosCall, PutBasket, Reply
from agent.problems import problem
from agent.views import Cancelled, Enrolled, Identified, Quoted, SaleAnswer
from loyalty.errors import TillmateError
from loyalty.i18n import Language
from loyalty.quote import Basket
from loyalty.wire import Problem
from offline_queue.errors import JobNotNow, UnknownJob
from offline_queue.print_jobs import DECIDED
from receipt_templates.document import DocumentError

_MOST_DIGITS = 18
COOKIE_SECONDS: Final = 400 * 24 * 3600  # the longest that browsers keep one


class Refused(Exception):
    """Ends a handler with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


# The calls of the POS


async def identify(backend: Backend, request: Request) -> Response:
    """Who is this?"""
    body = await _read(request, schemas.IdentifyRequest)
    return _json(await _ask(backend, request, lambda reply: Identify(body.code, reply), Identified))


async def put_basket(backend: Backend, request: Request) -> Response:
    """The open receipt as it is now."""
    body = await _read(request, schemas.BasketRequest)
    return _json(await _ask(backend, request, lambda reply: PutBasket(Basket(body.lines), body.redeem, reply), Quoted))


async def cancel_basket(backend: Backend, request: Request) -> Response:
    """The receipt is not going to happen."""
    await _ask(backend, request, CancelBasket, Cancelled)
    return Response(status_code=204)


async def commit_sale(backend: Backend, request: Request) -> Response:
    """The receipt is closed. 201 the first time, 200 ever after."""
    body = await _read(request, schemas.SaleRequest)

    def commit(reply: Reply) -> PosCall:
        return CommitSale(
            quote_id=body.quote_id,
            redeemed=body.redeemed,
            receipt=body.receipt,
            prints=body.prints,
            request_hash=body.fingerprint(),
            reply=reply,
            cashier=body.cashier,
        )

    answer = await _ask(backend, request, commit, SaleAnswer)
    return _json(answer.sold, 201 if answer.created else 200)


async def enrol(backend: Backend, request: Request) -> Response:
    """Print an enrolment QR."""
    await _read(request, schemas.EnrolRequest)
    return _json(await _ask(backend, request, Enrol, Enrolled), 201)


# Receipts in doubt


async def doubtful(backend: Backend, request: Request) -> Response:
    """What the cashier should look at."""
    printer = backend.printers.get(_till(backend, request))
    jobs = await run_in_threadpool(backend.receipts.open_questions, printer, backend.clock.now()) if printer else []
    found = tuple(schemas.Doubtful(job.id, datetime.fromisoformat(job.changed_at)) for job in jobs)
    return _json(schemas.DoubtfulReceipts(found))


async def decide(backend: Backend, request: Request) -> Response:
    """Somebody has looked."""
    till = _till(backend, request)
    decision = (await _read(request, schemas.Decision)).decision
    number = request.path_params["job"]
    if not number.isdecimal() or len(number) > _MOST_DIGITS:
        raise Refused(refusals.refusal("job_unknown"))
    await run_in_threadpool(_decide, backend, till, int(number), decision)
    return Response(status_code=204)


def _decide(backend: Backend, till: str, number: int, decision: Literal["again", "leave"]) -> None:
    try:
        job = backend.receipts.job(number)
        if job.printer != backend.printers.get(till):
            raise Refused(refusals.refusal("job_unknown"))
        if job.note in DECIDED:
            raise Refused(refusals.refusal("job_not_now"))
        if decision == "again":
            backend.receipts.again(number)
        else:
            backend.receipts.drop(number)
    except UnknownJob as error:
        raise Refused(refusals.refusal("job_unknown")) from error
    except JobNotNow as error:
        raise Refused(refusals.refusal("job_not_now", str(error))) from error
    except (TillmateError, TimeoutError, DocumentError) as error:
        raise Refused(refusals.refusal("not_stored", str(error))) from error


# Pages and people


async def events(backend: Backend, request: Request) -> Response:
    """Open an event stream; HEAD only says whether one may."""
    till = _till(backend, request)
    if request.method == "HEAD" and backend.hub.has_room():
        return Response(media_type="text/event-stream")
    client = None if request.method == "HEAD" else backend.hub.join(till)
    if client is None:
        raise Refused(refusals.refusal("too_many_screens"))
    return EventStream(backend.hub, client)


async def pair(backend: Backend, request: Request) -> Response:
    """Pay with a code. A page gets its token as a cookie that no script can read, a POS in the answer."""
    body = await _read(request, schemas.PairingRequest)
    bought = backend.pairing.redeem(body.code)
    if bought is None:
        raise Refused(refusals.refusal("pairing_refused"))
    page = bought.holder == "screen"
    token = None if page else bought.token
    response = _json(schemas.Paired(till=bought.till, scopes=bought.scopes, token=token), 201)
    if page:
        path = f"/v1/tills/{bought.till}"
        response.set_cookie(guard.COOKIE, bought.token, COOKIE_SECONDS, path=path, httponly=True, samesite="strict")
    return response


async def status(backend: Backend, _: Request) -> Response:
    """How this agent is."""
    return _json(backend.report())


async def healthz(backend: Backend, _: Request) -> Response:
    """Do all threads live?"""
    return _health(backend.failing())


async def readyz(backend: Backend, _: Request) -> Response:
    """Can this agent take a sale?"""
    return _health(backend.unready())


async def openapi(_: Backend, __: Request) -> Response:
    """The description of this API."""
    return Response(files("agent.api").joinpath("openapi.json").read_bytes(), media_type="application/json")


async def till_page(backend: Backend, request: Request) -> Response:
    """The shell of the cashier page."""
    return Response(screen.till_page(_till(backend, request), _language(backend, request)), media_type="text/html")


async def pair_page(backend: Backend, request: Request) -> Response:
    """The shell of the pairing page."""
    return Response(screen.pair_page(_language(backend, request)), media_type="text/html")


async def asset(_: Backend, request: Request) -> Response:
    """Script or style of a page."""
    asset = screen.asset(request.path_params["name"])
    if asset is None:
        raise Refused(refusals.refusal("not_found"))
    return Response(asset.content, media_type=asset.media_type)


# What they share


def _till(backend: Backend, request: Request) -> str:
    till: str = request.path_params["till"]
    if till not in backend.tills:
        raise Refused(refusals.refusal("till_unknown"))
    return till


def _language(backend: Backend, request: Request) -> Language:
    return screen.language(request.query_params.get("lang"), backend.language)


def _json(struct: msgspec.Struct, status: int = 200) -> Response:
    return Response(msgspec.json.encode(struct), status, media_type="application/json")


def _health(failing: Sequence[str]) -> Response:
    return _json(schemas.Health(tuple(failing)), 503 if failing else 200)


BodyT = TypeVar("BodyT", bound=msgspec.Struct)
AnswerT = TypeVar("AnswerT", Identified, Quoted, SaleAnswer, Cancelled, Enrolled)


async def _read(request: Request, shape: type[BodyT]) -> BodyT:
    """Decode the body. What is wrong is named by its place, never by its value."""
    try:
        return msgspec.json.decode(await request.body(), type=shape)
    except msgspec.ValidationError as error:
        raise Refused(refusals.refusal("bad_body", str(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(refusals.refusal("bad_json")) from error


async def _ask(
    backend: Backend, request: Request, call: Callable[[Reply], PosCall], expected: type[AnswerT]
) -> AnswerT:
    """Post the call to its till and wait for the answer; a problem, a full inbox or silence ends the handler."""
    reply: Reply = Future()
    if not backend.tills[_till(backend, request)].post(call(reply)):
        raise Refused(problem("busy"))
    answer = await _answer(reply, backend.answer_seconds)
    if isinstance(answer, Problem):
        raise Refused(answer)
    if not isinstance(answer, expected):
        raise TypeError(f"a till answered {type(answer).__name__} where {expected.__name__} was asked for")
    return answer


async def _answer(reply: Reply, seconds: float) -> Answer:
    """Wait for the till without ever cancelling its future: a sale goes on when its asker has given up."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def tell(_: Reply) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(done.set)

    reply.add_done_callback(tell)
    try:
        await asyncio.wait_for(done.wait(), seconds)
    except TimeoutError:
        return problem("timeout")
    return reply.result()
