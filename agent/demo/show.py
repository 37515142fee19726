"""`tillmate demo`: opens the store, then either plays the story or shows the store as a page."""

from __future__ import annotations

import shutil
import socket
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import uvicorn
from rich.console import Console
from rich.table import Table

from agent.demo.counter import Counter
from agent.demo.pairing import register_token
from agent.demo.pos import AgentAway, CashRegister, Refused
from agent.demo.processes import NotReady, free_port
from agent.demo.screen import Screen
from agent.demo.store import TILL, Store
from agent.demo.story import Step, StepFailed, Story
from agent.demo.web import make_page

API_PORT = 8737
PAGE_PORT = 8700
STOP_WITHIN = 3.0


def play_script(console: Console, language: str) -> int:
    """Play the story; print a table of its steps; leave receipts and ledger in a folder named on the last line.

    Returns the exit code: 0 only if each step held.
    """
    folder = Path(tempfile.mkdtemp(prefix="tillmate-demo-"))
    store = Store(folder, language, free_port(API_PORT))
    steps: list[Step] = []
    failure = _played(store, console, steps)
    console.print(_table(steps, failure))
    console.print(
        f"{len(store.receipts())} receipts as PNG and text in paper/, the ledger in ledger.csv, logs in logs/:"
    )
    print(folder.resolve())  # noqa: T201 - the last line is the folder alone, never wrapped or coloured
    return 1 if failure else 0


def show_store(console: Console, language: str, stop: Event) -> int:
    """Open the store, print the address of its page, wait for `stop`, close everything."""
    folder = Path(tempfile.mkdtemp(prefix="tillmate-demo-"))
    listener = _listen(PAGE_PORT)
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    store = Store(folder, language, free_port(API_PORT), origin)
    try:
        with console.status("opening the store") as spinner:
            store.open(lambda name: spinner.update(f"opening the store: {name}"))
            register, screen = _staff(store)
        app = make_page(Counter(store, register, screen), store.paper, origin)
        server = _Page(uvicorn.Config(app, log_level="warning"), listener)
        server.start()
        console.print(f"ready: {origin}   (Ctrl-C closes the shop)")
        stop.wait()
        screen.stop()
        server.stop()
    except (NotReady, OSError) as error:
        if not stop.is_set():  # Ctrl-C while the store opens reaches its programs as well
            console.print(f"{error}", style="red", markup=False)
            return 1
    finally:
        seconds = store.close()
        shutil.rmtree(folder, ignore_errors=True)
    console.print(f"closed in {seconds:.1f} s")
    return 0


def _listen(preferred: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", preferred))
    except OSError:
        return socket.create_server(("127.0.0.1", 0))


class _Page:
    """uvicorn in a thread of its own, on a socket that listens already."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._server.run, args=([listener],), name="demo-page", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(1)


def _staff(store: Store) -> tuple[CashRegister, Screen]:
    token = register_token(store)
    screen = Screen(store.api_url, TILL, token)
    screen.start()
    return CashRegister(store.api_url, TILL, token, datetime.now(UTC).date()), screen


def _played(store: Store, console: Console, steps: list[Step]) -> str | None:
    """Open, play, close. Returns what went wrong, or None."""

    def done(step: Step) -> None:
        steps.append(step)
        console.print(f"[green]✓[/] {step.title} [dim]{step.seconds:.1f} s")

    begin = monotonic()
    try:
        store.open(lambda _: None)
        register, screen = _staff(store)
        done(Step("The store opens", "server, printer, scanner and agent are ready", monotonic() - begin))
        Story(store, register, screen, done).play()
        screen.stop()
    except (StepFailed, NotReady, AgentAway, Refused) as error:
        return str(error)
    finally:
        seconds = store.close()
    if seconds > STOP_WITHIN:
        return f"closing the store took {seconds:.1f} s, more than {STOP_WITHIN:.0f} s"
    done(Step("The store closes", "all programs ended by themselves", seconds))
    return None


def _table(steps: list[Step], failure: str | None) -> Table:
    table = Table(title="The story of the shop", show_lines=True)
    table.add_column("#", justify="right")
    table.add_column("step")
    table.add_column("what was seen")
    table.add_column("s", justify="right")
    for number, step in enumerate(steps, 1):
        table.add_row(str(number), step.title, step.seen, f"{step.seconds:.1f}")
    if failure:
        table.add_row(str(len(steps) + 1), "[red]did not hold", failure, "")
    return table
