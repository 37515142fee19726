"""What the local API stands on: the tills, the hub, pairing and the status board. Made by the app, given to `make_app`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent.api.events import Hub
from agent.api.pairing import Pairing
from agent.api.schemas import StatusReport
from agent.clock import Clock
from agent.messages import PosCall
from agent.printing.decisions import PrintDecisions
from agent.views import PartState
from loyalty.i18n import Language


class TillPort(Protocol):
    """The way into a till."""

    def post(self, event: PosCall) -> bool:
        """Put the event into the inbox. False: there is no room."""
        ...


class StatusBoard(Protocol):
    """Where the parts say how they are."""

    def snapshot(self) -> tuple[PartState, ...]:
        """Return every part."""
        ...

    def subscribe(self, listener: Callable[[tuple[PartState, ...]], None]) -> None:
        """Call `listener` after each change."""
        ...


@dataclass(frozen=True)
class Backend:
    """What the API stands on. `failing` and `unready` name what is not well; `devices` names the devices of each till, `printers` its printer.

    A till that is silent for `answer_seconds` leaves its asker with the problem `timeout`: the outcome is unknown.
    """

    tills: Mapping[str, TillPort]
    hub: Hub
    pairing: Pairing
    status: StatusBoard
    report: Callable[[], StatusReport]
    receipts: PrintDecisions
    clock: Clock
    failing: Callable[[], Sequence[str]] = tuple
    unready: Callable[[], Sequence[str]] = tuple
    devices: Mapping[str, frozenset[str]] = field(default_factory=dict)
    printers: Mapping[str, str] = field(default_factory=dict)
    language: Language = "ru"
    allowed_origins: tuple[str, ...] = ()
    answer_seconds: float = 5.0
