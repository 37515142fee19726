"""pyserial's `socket://` port without four of its habits. Imported only when such a port is opened.

As pyserial 3.5 stands, opening throws away what the scanner has sent on the new connection, closing sleeps 0.3 s and
leaves the socket to the garbage collector after a reset, and a peer that loses its power is never noticed.
"""

from __future__ import annotations

import socket

from serial.urlhandler import protocol_socket

from drivers.scanners.tcp import keep_alive


class SocketPort(protocol_socket.Serial):
    """A TCP connection that reads like a serial port."""

    _socket: socket.socket | None

    def open(self) -> None:
        """Connect, and have the system ask after about 20 s of silence whether the scanner is still there."""
        super().open()
        if self._socket is not None:
            keep_alive(self._socket)

    def close(self) -> None:
        """Close at once."""
        if self.is_open and self._socket is not None:
            self._socket.close()
            self._socket = None
        self.is_open = False

    def reset_input_buffer(self) -> None:
        """Keep what has come: nothing on a new connection is from before it."""
