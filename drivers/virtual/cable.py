"""A virtual printer's end of its cable: a TCP port or a pty, without blocking, for one thread."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from pathlib import Path
from typing import Protocol

_IXON_WORD = 0  # of what tcgetattr gives: the input modes
_NO_LINGER = struct.pack("ii", 1, 0)


class Cable(Protocol):
    """What the printer needs of it."""

    address: str

    def plug(self) -> None:
        """Be reachable. Does nothing when it is."""
        ...

    def unplug(self) -> None:
        """Be gone and hang up."""
        ...

    def hang_up(self) -> None:
        """Break the connection that is open, and stay reachable."""
        ...

    def waits_for(self) -> list[int]:
        """The file descriptors that become readable when something is to be received."""
        ...

    def receive(self, most: int) -> bytes:
        """What has arrived, at most so many bytes; b"" = nothing."""
        ...

    def send(self, replies: bytes) -> None:
        """Hand over what the host is ready to take; a host that does not read loses it."""
        ...

    @property
    def obeys_xoff(self) -> bool:
        """The host's end of the line stops by itself when it gets XOFF."""
        ...


class TcpCable:
    """A network printer: one host at a time, the next is hung up on until the first has gone."""

    def __init__(self, listen: str) -> None:
        host, _, port = listen.rpartition(":")
        self._where = (host, int(port))
        self._listener: socket.socket | None = None
        self._host: socket.socket | None = None
        self.plug()
        self.address = f"{self._where[0]}:{self._where[1]}"

    def plug(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server(self._where)
            self._listener.setblocking(False)
            self._where = self._listener.getsockname()[:2]  # the same port when the power comes back

    def unplug(self) -> None:
        self.hang_up()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def hang_up(self) -> None:
        if self._host is not None:
            self._host.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)  # a reset, as from a real fault
            self._close()

    def waits_for(self) -> list[int]:
        return [each.fileno() for each in (self._listener, self._host) if each is not None]

    @property
    def obeys_xoff(self) -> bool:
        return False

    def receive(self, most: int) -> bytes:
        chunk = self._read(most) if most else b""
        self._let_in()
        return chunk

    def send(self, replies: bytes) -> None:
        if self._host is not None:
            with contextlib.suppress(OSError):  # the host has gone or does not read; the next receive finds out
                self._host.send(replies)

    def _read(self, most: int) -> bytes:
        if self._host is None:
            return b""
        try:
            chunk = self._host.recv(most)
        except BlockingIOError:
            return b""
        except OSError:
            chunk = b""
        if not chunk:
            self._close()
        return chunk

    def _let_in(self) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody is waiting
            while self._listener is not None:
                host = self._listener.accept()[0]
                if self._host is not None:
                    host.close()
                    continue
                host.setblocking(False)
                host.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._host = host

    def _close(self) -> None:
        if self._host is not None:
            self._host.close()
            self._host = None


class PtyCable:
    """A serial printer (POSIX): a pty behind a link that stays, as /dev/serial/by-id has it."""

    def __init__(self, link: Path) -> None:
        self._link = link
        self._ends: tuple[int, int] | None = None
        self.address = str(link)
        self.plug()

    def plug(self) -> None:
        if self._ends is not None:
            return
        import tty

        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._ends = (master, slave)  # our own end of the slave keeps the line open while no host is there
        fresh = self._link.with_name(f".{self._link.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(slave))
        fresh.replace(self._link)

    def unplug(self) -> None:
        if self._ends is not None:
            self._link.unlink(missing_ok=True)
            for end in self._ends:
                os.close(end)
            self._ends = None

    def hang_up(self) -> None:
        if self._ends is not None:
            self.unplug()
            self.plug()

    def waits_for(self) -> list[int]:
        return [self._ends[0]] if self._ends else []

    @property
    def obeys_xoff(self) -> bool:
        if self._ends is None:
            return False
        import termios

        return bool(termios.tcgetattr(self._ends[1])[_IXON_WORD] & termios.IXON)

    def receive(self, most: int) -> bytes:
        if self._ends is None or not most or not select.select([self._ends[0]], [], [], 0)[0]:
            return b""
        return os.read(self._ends[0], most)

    def send(self, replies: bytes) -> None:
        if self._ends is not None:
            with contextlib.suppress(BlockingIOError):  # nobody reads: a serial line keeps nothing
                os.write(self._ends[0], replies)
