"""The contract of every device driver.

A driver is one file that names itself with `DRIVER = Driver(...)`. It opens the hardware, moves bytes and closes; the
life around it (reopen, backoff, threads, framing) belongs to the agent. It may refuse in `open`; later it only ever
raises `DeviceGone` or `PrinterNotReady`. Hardware libraries are imported inside `open`.

    DeviceError            code, params; never a foreign exception
    ├── DeviceGone         unplugged, hung up, connection lost: reopen
    ├── DeviceBusy         somebody else holds it: slow retry, tell store IT
    └── DeviceRefused      no rights, wrong settings: slow retry, tell store IT
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

Kind = Literal["scanner", "printer"]
Maturity = Literal["BETA", "STABLE"]


class DeviceError(Exception):
    """The message names the device, what happened and what to do, in English for the log; `code` selects the text for people."""

    code: ClassVar[str] = "device"


class DeviceGone(DeviceError):
    """The device is not there (any more). Reopen with backoff."""

    code = "device_gone"


class DeviceBusy(DeviceError):
    """Another program holds the device. Retry slowly and say so."""

    code = "device_busy"


class DeviceRefused(DeviceError):
    """Rights or settings forbid it; waiting alone will not cure it. Retry slowly and tell store IT."""

    code = "device_refused"


class Device(Protocol):
    """An open device. Used by one thread only."""

    def read(self, timeout: float) -> bytes:
        """Return what has arrived, waiting at most `timeout` seconds for the first byte; b"" = nothing came.

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
        """Hand all bytes to the device within `timeout` seconds without progress. Raises DeviceGone.

        Returning means written, not printed.
        """
        ...


OptionsT = TypeVar("OptionsT")
DeviceT = TypeVar("DeviceT", bound=Device, covariant=True)


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


AnyDriver = Driver[Any, Any]
