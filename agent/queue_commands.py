"""What the admin socket can do with the queue.

    {"do": "queue_retry"}                                  -> {"ok": true}               try to deliver at once
    {"do": "queue_retry", "number": 12}                    -> {"ok": true, "seq": 480}   the rejected row 12 once more
    {"do": "queue_salvage", "file": "/...", "keys": [..]}  -> {"ok": true}               begin to take that file over
    {"do": "queue_salvage_state", "file": "/..."}          -> {"ok": true, "stage", "seen", "whole", "rows", "lost", "trouble"}

`keys` are the data keys of another PC, base64url; without them the file is one of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as NotInTime
from pathlib import Path
from typing import Final

from agent import identity
from agent.api.admin_socket import Answer, Command, CommandRefused, Request
from loyalty.errors import TillmateError
from offline_queue import Care, ForgetAttempts, Keyring, Queue, RetryRow, UnknownRow

_WITHIN: Final = 10.0


def queue_commands(queue: Queue, care: Care, try_now: Callable[[], None]) -> dict[str, Command]:
    """The commands, for `AdminSocket`."""

    def retry(request: Request) -> Answer:
        number = request.get("number")
        if number is None:
            queue.submit(ForgetAttempts()).result(_WITHIN)
            try_now()
            return {}
        if not isinstance(number, int):
            raise CommandRefused("row_unknown", f"{number!r} is not the number of a row")
        return {"seq": queue.submit(RetryRow(number)).result(_WITHIN)}

    def salvage(request: Request) -> Answer:
        care.salvage(_path(request), _keys(request))
        return {}

    def state(request: Request) -> Answer:
        now = care.progress(_path(request))
        return {
            "stage": now.standing.stage,
            "seen": now.seen,
            "whole": now.whole,
            "rows": now.standing.rows,
            "lost": now.standing.lost,
            "trouble": now.trouble,
        }

    made = {"queue_retry": retry, "queue_salvage": salvage, "queue_salvage_state": state}
    return {name: _refusing(command) for name, command in made.items()}


def _path(request: Request) -> Path:
    path = Path(str(request.get("file")))
    if not path.is_absolute() or not path.is_file():
        raise CommandRefused("no_file", f"{path} is no file that the agent can see")
    return path


def _keys(request: Request) -> Keyring | None:
    keys = request.get("keys")
    if not keys:
        return None
    if not isinstance(keys, list):
        raise CommandRefused("bad_keys", "keys is a list of texts")
    try:
        return Keyring([identity.from_base64(str(key)) for key in keys])
    except ValueError as error:
        raise CommandRefused("bad_keys", str(error)) from error


def _refusing(command: Command) -> Command:
    def refusing(request: Request) -> Answer:
        try:
            return command(request)
        except UnknownRow as error:
            raise CommandRefused("row_unknown", str(error)) from error
        except CommandRefused:
            raise
        except (TillmateError, NotInTime) as error:
            raise CommandRefused("not_stored", f"the queue did not take it: {error}") from error

    return refusing
