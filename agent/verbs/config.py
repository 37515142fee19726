"""What a verb of the `tillmate` command begins with, and how it ends: the config, the queue file, a sentence and a code.

Exit codes: 1 not done, 78 mistakes in the config; a verb may have its own.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any, Final, NoReturn, TypeVar

import click

from agent import identity
from agent.config import DEFAULT_PATH, Config, ConfigError, load
from loyalty.errors import TillmateError
from loyalty.i18n import Language, text
from offline_queue import Keyring, QueueFile

CallableT = TypeVar("CallableT", bound=Callable[..., Any])

ENVIRONMENT: Final = "TILLMATE_CONFIG"
_SAYS_IT_ALL = ("port_in_use", "queue_locked", "state_folder")
"""Errors whose sentence for people leaves nothing to add."""

as_json_option = click.option("--json", "as_json", is_flag=True, help="For machines.")


def config_option(command: CallableT) -> CallableT:
    """`--config`, which every verb has that needs one."""
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option(
        "--config", "config_path", type=path, help=f"config.toml; default: ${ENVIRONMENT} or {DEFAULT_PATH}"
    )(command)


def load_config(path: Path) -> Config:
    """The config; ends with 78 and all its mistakes where it has any."""
    try:
        return load(path)
    except ConfigError as error:
        say(text("error.config", error.language))
        say(str(error))
        sys.exit(78)


def queue_file(path: Path) -> tuple[Config, Path]:
    """The config and the queue of its agent; ends with 1 where there is none to be seen."""
    config = load_config(path)
    file = config.folder / "queue.db"
    try:
        there = file.exists()
    except OSError as error:
        say(text("error.state_folder", config.language, folder=str(config.folder), reason=error.strerror or ""))
        sys.exit(1)
    if not there:
        say(text("cli.no_queue", config.language, path=str(config.folder)))
        sys.exit(1)
    return config, file


def queue_with_keys(path: Path) -> tuple[Config, QueueFile]:
    """The same with the keys to it; ends with 65 where they cannot be read."""
    config, file = queue_file(path)
    keys = config.folder / "data.keys"
    try:
        return config, QueueFile(file, Keyring(identity.read_keys(keys)) if keys.exists() else Keyring())
    except identity.IdentityDamaged as error:
        fail(error, config.language, 65)


def fail(error: BaseException, language: Language, code: int) -> NoReturn:
    """Say it in the words of people, with the details, where there are any, for those who look after the machine."""
    if isinstance(error, TillmateError):
        say(error.said(language))
    if not isinstance(error, TillmateError) or error.code not in _SAYS_IT_ALL:
        say(text("cli.details", language, text=str(error)))
    sys.exit(code)


def say(message: str) -> None:
    """To those who look at the terminal, and not into a file."""
    click.echo(message, err=True)


def stop_on_signals() -> Event:
    """An event that Ctrl-C and SIGTERM set."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
