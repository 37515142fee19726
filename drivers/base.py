"""The contract of every device driver.

A driver is one file that names itself with `DRIVER = Driver(...)`. It opens the hardware, moves bytes and closes; the
life around it (reopen, backoff, threads, framing) belongs to the agent. It may refuse in `open`; later it only ever
raises `DeviceGone`, and a printer queue also `DeviceRefused`. Hardware libraries are imported inside `open`.

    DeviceError            code, params; never a foreign exception
    ├── DeviceGone         unplugged, hung up, connection lost: reopen
    │   └── DeviceStalled  there, but takes nothing: go on with the rest, or reopen
    ├── DeviceBusy         somebody else holds it: slow retry, tell store IT
    └── DeviceRefused      no rights, wrong settings: slow retry, tell store IT
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

from drivers.framing import Framing

Kind = Literal["scanner", "printer"]
Maturity = Literal["BETA", "STABLE"]


class DeviceError(Exception):
    """The message names the device, what happened and what to do, in English for the log; `code` selects the text for people."""

    code: ClassVar[str] = "device"


class DeviceGone(DeviceError):
    """The device is not there (any more). Reopen with backoff."""

    code = "device_gone"


class DeviceStalled(DeviceGone):
    """It has taken nothing for as long as `write` was to wait. The device is as open as before: either `write` what comes
    behind the first `taken` bytes, which goes on without loss or doubling, or give it up like one that is gone."""

    def __init__(self, message: str, taken: int) -> None:
        super().__init__(message)
        self.taken = taken


class DeviceBusy(DeviceError):
    """Another program holds the device. Retry slowly and say so."""

    code = "device_busy"


class DeviceRefused(DeviceError):
    """Rights or settings forbid it; waiting alone will not cure it. Retry slowly and tell store IT."""

    code = "device_refused"


class Device(Protocol):
    """An open device. Used by one thread only."""

    def read(self, timeout: float) -> bytes:
        """Return what has arrived, waiting at most `timeout` seconds for the first byte; b"" = nothing came in that time.

        Raises DeviceGone.
        """
        ...

    def close(self) -> None:
        """Give the device back. Never raises; may be called twice."""
        ...


class Scanner(Device, Protocol):
    """A source of raw scan bytes, framed by drivers.framing."""


class Printer(Device, Protocol):
    """A sink of ESC/POS bytes; `read` returns status replies where the transport has a way back."""

    def write(self, payload: bytes, timeout: float) -> None:
        """Hand all bytes to the device, waiting at most `timeout` seconds for it to take any more of them.

        Returning means written, not printed. Raises DeviceGone when nobody knows how much of it came out, DeviceStalled,
        or DeviceRefused when for certain nothing did and nothing will: the same bytes may be written again later.
        """
        ...


OptionsT = TypeVar("OptionsT")
DeviceT = TypeVar("DeviceT", bound=Device, covariant=True)


@dataclass(frozen=True)
class Candidate:
    """A device that is there and could be the one that is looked for; `title` is for people, `options` for config.toml."""

    title: str
    options: Mapping[str, object]
    listen: Callable[[], Device]
    """Opens it without keeping it from anybody, where that can be. Raises as `Driver.open` does."""
    instead: Callable[[], Candidate] | None = None
    """The same with other settings, when only nonsense comes from it."""


def _nothing_known() -> Iterable[Candidate]:
    return ()


@dataclass(frozen=True)
class Driver(Generic[OptionsT, DeviceT]):
    """What a driver file declares. `options` is a frozen dataclass; its fields are the driver's keys in config.toml."""

    kind: Kind
    name: str  # the name in config.toml = the module's name
    title: str
    maturity: Maturity
    tested_with: tuple[str, ...]
    options: type[OptionsT]
    open: Callable[[OptionsT], DeviceT]
    """Raises DeviceGone, DeviceBusy or DeviceRefused."""
    answers: bool = True
    """False: a queue of the system, which takes each write for a whole print job and never has anything to say. It must be
    written nothing but whole jobs: a query, or a fence, would come out as a page of its own."""
    framing: Framing = field(default_factory=Framing)
    """Scanners: where a code ends, unless config.toml says otherwise."""
    session: Callable[[OptionsT], AbstractContextManager[Callable[[], DeviceT]]] | None = None
    """For a device that calls us: what stays open between two of its lives, as a listening port does. Gives what opens it."""

    candidates: Callable[[], Iterable[Candidate]] = _nothing_known
    """Scanners: what is there now that this driver could read."""

    def opener(self, options: OptionsT) -> AbstractContextManager[Callable[[], DeviceT]]:
        """What opens the device, again and again, while the context lasts."""
        return self.session(options) if self.session else nullcontext(partial(self.open, options))


AnyDriver = Driver[Any, Any]
