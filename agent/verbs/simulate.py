"""`tillmate simulate`: be a scanner or a printer, for trying things out without hardware."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, get_args, get_type_hints

import click

from agent.verbs.config import say, stop_on_signals
from drivers.virtual.options import Options


@click.group()
def simulate() -> None:
    """Be a device, in the foreground, until SIGTERM or Ctrl-C."""


_LISTEN = click.option("--listen", default="127.0.0.1:0", show_default=True, help="HOST:PORT; port 0 = any free one.")
_PTY = click.option("--pty", default="", help="Path of a pseudo terminal to be, instead of a TCP port.")
_CONTROL = click.option(
    "--control", default="127.0.0.1:0", show_default=True, help="Control port, on this machine only."
)


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each documented field of the printer's `Options`."""
    hints = get_type_hints(Options)
    for each in reversed([each for each in fields(Options) if "doc" in each.metadata]):
        command = _option(each, hints[each.name])(command)
    return command


def _option(of: Field[Any], hint: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
    choices = get_args(hint)
    return click.option(
        f"--{of.name}",
        type=click.Choice(choices) if choices else None,
        is_flag=hint is bool,
        default=of.default,
        show_default=bool(of.default),
        help=f"{of.metadata['doc'][0].upper()}{of.metadata['doc'][1:]}.",
    )


@simulate.command()
@_LISTEN
@_PTY
@_CONTROL
def scanner(listen: str, pty: str, control: str) -> None:
    """A scanner that types what its control port says."""
    from drivers.virtual import scanner as device

    options = device.Options(listen=listen, pty=pty, control_port=_port(control))
    _be(lambda stop: device.run(options, stop))


@simulate.command()
@_options
@_CONTROL
def printer(control: str, **chosen: object) -> None:
    """A receipt printer that draws its paper."""
    from drivers.virtual import printer as device

    try:
        options = Options(control_port=_port(control), **chosen)  # type: ignore[arg-type]
    except (ValueError, LookupError) as error:
        raise click.BadParameter(str(error)) from error
    _be(lambda stop: device.run(options, stop))


def _port(address: str) -> int:
    port = address.rpartition(":")[2]
    if not port.isdigit():
        raise click.BadParameter(f"{address} is no HOST:PORT", param_hint="--control")
    return int(port)


def _be(device: Callable[[threading.Event], None]) -> None:
    try:
        device(stop_on_signals())
    except OSError as error:
        say(str(error))
        sys.exit(1)
