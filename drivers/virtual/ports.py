"""The host's side of a virtual scanner's cable: a TCP port to connect to, or a pty under a name that stays.

Both are there or gone (`plug`, `unplug`), know whether a host has them open, and carry bytes one way. Like a real cable
they keep nothing for a host that is not there and block for none that does not read.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from pathlib import Path
from typing import Protocol


class Port(Protocol):
    """Used by one thread at a time."""

    address: str
    """What the agent's config has as `port`."""

    @property
    def plugged(self) -> bool:
        """Whether the cable is in."""
        ...

    def plug(self) -> None:
        """Be there. Does nothing when it is."""
        ...

    def unplug(self) -> None:
        """Be gone, and hang up on the host. Does nothing when it is."""
        ...

    def connected(self) -> bool:
        """Tell whether a host has the port open, taking in one that is waiting."""
        ...

    def send(self, data: bytes) -> bool:
        """Hand the bytes to the host; False = there was none, or it did not read."""
        ...


class TcpPort:
    """A scanner in TCP server mode. One host at a time; a second one is hung up on, as a cable has one end."""

    def __init__(self, listen: str) -> None:
        host, _, port = listen.rpartition(":")
        self._listener: socket.socket | None = None
        self._host: socket.socket | None = None
        self._where = (host, int(port))
        self.plug()
        self.address = f"socket://{self._where[0]}:{self._where[1]}"

    @property
    def plugged(self) -> bool:
        return self._listener is not None

    def plug(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server(self._where)
            self._listener.setblocking(False)
            self._where = self._listener.getsockname()[:2]  # the same port for ever, also when the system chose it

    def unplug(self) -> None:
        self._hang_up()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def connected(self) -> bool:
        if self._host is not None and self._left(self._host):
            self._hang_up()
        with contextlib.suppress(BlockingIOError):  # nobody is waiting
            while self._listener is not None:
                self._take(self._listener.accept()[0])
        return self._host is not None

    def send(self, data: bytes) -> bool:
        if not self.connected() or self._host is None:
            return False
        try:
            self._host.sendall(data)
        except OSError:
            self._hang_up()
            return False
        return True

    def _take(self, host: socket.socket) -> None:
        if self._host is not None:
            host.close()
            return
        host.settimeout(1.0)
        host.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host = host

    @staticmethod
    def _left(host: socket.socket) -> bool:
        """What the host says is thrown away; a scanner has nothing to be told."""
        try:
            return bool(select.select([host], [], [], 0)[0]) and not host.recv(4096)
        except OSError:
            return True

    def _hang_up(self) -> None:
        if self._host is not None:
            self._host.close()
            self._host = None


class PtyPort:
    """A scanner on a serial cable (POSIX). Each plug is a new device node behind the same link, as /dev/serial/by-id has it."""

    def __init__(self, link: Path) -> None:
        self._link = link
        self._master = -1
        self.address = str(link)
        self.plug()

    @property
    def plugged(self) -> bool:
        return self._master >= 0

    def plug(self) -> None:
        if self._master >= 0:
            return
        import tty

        self._master, slave = os.openpty()
        tty.setraw(slave)  # else the line would echo and rewrite until the host has set it up
        fresh = self._link.with_name(f".{self._link.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(slave))
        fresh.replace(self._link)
        os.close(slave)
        os.set_blocking(self._master, False)

    def unplug(self) -> None:
        if self._master >= 0:
            self._link.unlink(missing_ok=True)
            os.close(self._master)
            self._master = -1

    def connected(self) -> bool:
        if self._master < 0:
            return False
        poll = select.poll()
        poll.register(self._master, 0)
        return not any(event & select.POLLHUP for _, event in poll.poll(0))

    def send(self, data: bytes) -> bool:
        if not self.connected():
            return False
        try:
            return os.write(self._master, data) == len(data)
        except OSError:  # full (nobody reads) or just hung up
            return False
