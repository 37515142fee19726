"""How a code reaches a phone. Here: the server's console and a file, for development; gateway.py is for customers."""

from __future__ import annotations

import json
import os
import threading
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Protocol, TextIO

from loyalty.errors import TillmateError
from loyalty_server.enrolment.phone import masked


class SendFailed(TillmateError):
    """The code has not left: ask the customer to try again."""

    code: ClassVar[str] = "send_failed"


class Sender(Protocol):
    """One way to a phone. Called by many threads."""

    def send(self, phone: str, code: str, text: str, at: datetime) -> None:
        """Hand the message over. Raises SendFailed."""
        ...


class ConsoleSender:
    """Says the code on the console and appends it to a file, where the demo page reads it; sends nothing."""

    def __init__(self, out: TextIO, file: Path) -> None:
        self._out = out
        self._file = file
        self._lock = threading.Lock()

    def send(self, phone: str, code: str, text: str, at: datetime) -> None:
        """Say it. Raises SendFailed."""
        line = json.dumps(
            {"at": at.isoformat(), "phone": masked(phone), "code": code, "text": text}, ensure_ascii=False
        )
        with self._lock:
            try:
                handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                with os.fdopen(handle, "a", encoding="utf-8") as file:
                    file.write(line + "\n")
            except OSError as error:
                raise SendFailed("the file of codes cannot be written") from error
            print(f"code phone={masked(phone)} code={code}", file=self._out, flush=True)
