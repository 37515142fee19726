"""What frees a printer from a job that was cut off in the middle, so that it does not swallow the next one.

A printer that waits for the rest of a picture takes the next receipt for it. NULs fill up whatever command is unfinished;
between commands printers ignore them.
"""

from __future__ import annotations

from drivers.printers.escpos.commands import split


def flush(job: bytes, *, whole: bool) -> bytes:
    """What to send outside of any job after `job` may have been cut off: fill and reset. Unless the printer is known to
    have the `whole` job, also the job's own end, so that the next receipt does not hang on half of this one."""
    commands = split(job)
    longest = max((len(command.raw) for command in commands), default=0)
    end = commands[-1].raw if commands and not whole else b""
    return b"\0" * longest + b"\x1b@" + end
