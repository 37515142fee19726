"""Telling systemd how we are (sd_notify): READY, STOPPING and the watchdog's beat. Silent where nobody listens."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


def notify(message: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send one message to NOTIFY_SOCKET, such as "READY=1". False: there is no service manager, or it cannot be reached."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(address)
            sender.sendall(message.encode())
    except OSError:
        return False
    return True


def watchdog_seconds(environment: Mapping[str, str] = os.environ) -> float | None:
    """How often systemd wants to hear from this process; None = it does not."""
    micro, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", str(os.getpid()))
    if not micro.isdigit() or int(micro) == 0 or pid != str(os.getpid()):
        return None
    return int(micro) / 1_000_000
