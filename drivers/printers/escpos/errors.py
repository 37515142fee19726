"""Why a document does not become a job. Each is about that document on that printer: asking again will not help."""

from __future__ import annotations


class EncodeError(ValueError):
    """Says what cannot be printed, where, and what to do."""


class CannotPrint(EncodeError):
    """The printer has no letters for `chars`, and a picture of the line is not possible or not wanted."""

    def __init__(self, chars: str, title: str) -> None:
        super().__init__(
            f"{title}: no letters for {chars!r}; choose a profile that has them, or allow pictures of lines"
        )
        self.chars = chars


class CodeTooLarge(EncodeError):
    """A QR code whose modules would be too small for a camera on this paper."""

    def __init__(self, size: int, dots: int) -> None:
        super().__init__(
            f"a QR code of {size} bytes does not fit on paper of {dots} dots; shorten it or take wider paper"
        )
        self.size, self.dots = size, dots


class LogoError(EncodeError):
    """A file that is no logo; names it."""
