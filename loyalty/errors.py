"""The base of every error that a person may see.

Subclasses are cut by what the caller must do, not by what went wrong, and live in the layer that raises them:

    TillmateError
    ├── ConfigError                     agent.config          fix the file and restart (exit 78)
    ├── ProgrammeError                  loyalty.programme     fix the programme document
    ├── QueueLocked, QueueDamaged       offline_queue.errors  exit 75, exit 65
    ├── PortInUse                       agent.api.server      exit 69
    └── ServerUnreachable, ServerBusy, ServerRejected, NotAuthorised
                                        agent.sync.errors     retry, retry later, keep, call store IT

Device errors stand apart in `drivers.base`, because drivers know nothing of loyalty; they carry the same two fields.
A business refusal ("not enough points") is a value, never an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from loyalty.i18n import Language


class TillmateError(Exception):
    """Has a stable `code` for programs and a key into the ru and en texts for people (see loyalty.i18n)."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, /, **params: str | int) -> None:
        super().__init__(message)
        self.params = params

    @property
    def key(self) -> str:
        """Key of the text for people: `error.<code>`."""
        return f"error.{self.code}"

    def said(self, language: Language) -> str:
        """In words."""
        from loyalty.i18n import text

        return text(self.key, language, **self.params)
