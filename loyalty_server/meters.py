"""What monitoring reads: counters of this process, with nothing in them that names a person, a card or a receipt."""

from __future__ import annotations

from collections import Counter as Tally
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from loyalty.wire import EventReply

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Meters:
    """All of them, in a registry of their own. Safe in threads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests answered", "method", "route", "status")
        self._seconds = Histogram(
            "tillmate_server_request_seconds",
            "From a request's header to the end of its answer",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._running = Gauge("tillmate_server_requests_running", "Requests at work now", registry=self._registry)
        self._refusals = self._counter("refusals", "Requests refused, by the problem's code", "code")
        self._batches = self._counter("batches", "Batches of rows booked")
        self._rows = self._counter("rows", "Rows of booked batches, by verdict", "verdict")
        self._rejections = self._counter("rows_rejected", "Rows rejected, by the problem's code", "code")
        self._audited = self._counter("sales_audited", "Sales for which the engine was asked again", "outcome")
        self._codes = self._counter("codes", "Codes for phones that were handed to the sender", "outcome")

    def began(self) -> None:
        """A request is at work."""
        self._running.inc()

    def ended(self, method: str, route: str, status: int, seconds: float, code: str) -> None:
        """A request was answered; `code` of its problem, if it was one."""
        self._running.dec()
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if code:
            self._refusals.labels(code).inc()

    def batch(self, reply: EventReply) -> None:
        """A batch was booked."""
        self._batches.inc()
        for verdict, count in Tally(each.verdict for each in reply.verdicts).items():
            self._rows.labels(verdict).inc(count)
        for code, count in Tally(each.problem.code for each in reply.verdicts if each.problem).items():
            self._rejections.labels(code).inc(count)

    def audited(self, outcome: Literal["same", "differs"], count: int) -> None:
        """The engine was asked again for so many sales."""
        self._audited.labels(outcome).inc(count)

    def code(self, outcome: Literal["sent", "failed"]) -> None:
        """A code was handed to the sender."""
        self._codes.labels(outcome).inc()

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"tillmate_server_{name}", about, labels, registry=self._registry)
