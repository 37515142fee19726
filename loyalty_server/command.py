"""What every verb of `tillmate-server` begins with: the data folder, opened, and refusals that end with an exit code.

78 the folder, the programme or an address must be mended, 1 the wish cannot be granted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click

from loyalty.errors import TillmateError
from loyalty.programme import ProgrammeError
from loyalty_server.folder import DataFolder, NotInitialised
from loyalty_server.keys import Keys
from loyalty_server.problems import Refused
from loyalty_server.storage.database import Database

data_option = click.option(
    "--data", required=True, type=click.Path(file_okay=False, path_type=Path), help="The server's data folder."
)


@contextmanager
def opened(folder: DataFolder) -> Iterator[tuple[Database, Keys]]:
    """Give the database and the keys of a folder for as long as the block lasts."""
    with refusals():
        database, keys = folder.open()
    with closing(database):
        yield database, keys


@contextmanager
def closing(database: Database) -> Iterator[None]:
    """Close the database at the end of the block."""
    try:
        yield
    finally:
        database.close()


@contextmanager
def refusals() -> Iterator[None]:
    """Say why a wish is refused, and exit."""
    try:
        yield
    except (NotInitialised, ProgrammeError) as error:
        fail(str(error), 78)
    except Refused as error:
        fail(": ".join(filter(None, (error.problem.title, error.problem.detail))), 1)
    except (TillmateError, LookupError, ValueError) as error:
        fail(str(error.args[0]), 1)
    except OSError as error:
        fail(str(error), 1)


def fail(message: str, exit_code: int) -> NoReturn:
    """Say what is wrong, and exit."""
    click.echo(f"Error: {message}", err=True)
    sys.exit(exit_code)
