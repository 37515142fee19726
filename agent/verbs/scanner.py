"""`tillmate scanner setup`: finds out which device the scanner in your hand is, and how config.toml calls it.

Exit codes: 0 found, 1 not found or not written, 2 what was given is wrong, 78 mistakes in the config.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.verbs.config import config_option, say, stop_on_signals
from loyalty.i18n import LANGUAGES, Language, text

if TYPE_CHECKING:
    from agent.config import Config
    from agent.scanning.finder import Found, News, Place

_LETTERS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_SHORTEST = 6


@click.group()
def scanner() -> None:
    """About scanners."""


@scanner.command()
@click.option("--code", "given", help="Instead of a QR code on the screen: the digits under a bar code at hand.")
@click.option("--name", help="Of the [[scanner]]; one that is there already is replaced. Default: a new one.")
@click.option("--till", help="Id of its till; default: the first of the config.")
@click.option("--driver", "drivers", multiple=True, help="Listen only to what this driver reads; may be repeated.")
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(1, 600), help="How long to wait.")
@click.option("--write", is_flag=True, help="Write it into the config file; every other byte of it stays.")
@click.option("--language", type=click.Choice(LANGUAGES), help="Default: as the config says, or ru.")
@config_option
@click.pass_obj
def setup(
    default: Path,
    config_path: Path | None,
    given: str | None,
    name: str | None,
    till: str | None,
    drivers: tuple[str, ...],
    seconds: float,
    write: bool,
    language: Language | None,
) -> None:
    """Scan one code, and be told which device that was. No keyboard is taken away meanwhile."""
    path = config_path or default
    config = _config(path, needed=write or till is not None)
    wish = language or (config.language if config else "ru")
    if given is not None and (len(given) < _SHORTEST or not given.isascii() or not given.isprintable()):
        raise click.UsageError(text("scanner_setup.short", wish, count=_SHORTEST))
    found = _found(given, drivers, seconds, config, wish)
    called = name or _free_name(config)
    table = _table(found, called)
    _tell(found, table, wish, drawn=given is None)
    owner = till or (config.till[0].id if config else "1")
    if write:
        _write(path, table, owner, wish)
    key = "scanner_setup.written" if write else "scanner_setup.to_config"
    click.echo(text(key, wish, path=str(path), name=called, till=owner))


def _config(path: Path, *, needed: bool) -> Config | None:
    """The config, where there is one; it need not be there to be told about a scanner."""
    from agent.verbs.config import load_config

    return load_config(path) if needed or path.exists() else None


def _found(
    given: str | None, drivers: tuple[str, ...], seconds: float, config: Config | None, language: Language
) -> Found:
    """The scanner that the code came from; ends with 1 where none did."""
    from agent.clock import SystemClock
    from agent.scanning.finder import find, places

    among = [each for each in places() if not drivers or each.driver in drivers]
    _introduce(among, config, language)
    code = given or f"TILLMATE-{''.join(secrets.choice(_LETTERS) for _ in range(6))}"
    _show_code(code, language, drawn=given is None)
    found = find(code, among, seconds, SystemClock(), lambda news: _say_news(news, language), stop_on_signals())
    _forget_typed()
    if found is None:
        say(text("scanner_setup.not_found", language))
        sys.exit(1)
    return found


def _introduce(among: list[Place], config: Config | None, language: Language) -> None:
    from agent.scanning.listen import last_of_agent

    if config is not None and last_of_agent(config.folder / "admin.sock") is not None:
        say(text("scanner_setup.agent_runs", language))
    if not among:
        say(text("scanner_setup.nothing", language))
        sys.exit(1)
    say(text("scanner_setup.listening", language))
    for place in among:
        say(f"  {place.driver}: {place.candidate.title}")


def _show_code(code: str, language: Language, *, drawn: bool) -> None:
    if drawn:
        import segno

        segno.make(code, error="m", micro=False).terminal(compact=True)
    click.echo(text("scanner_setup.scan_this" if drawn else "scanner_setup.scan_digits", language, code=code))


def _say_news(news: News, language: Language) -> None:
    from agent.scanning.finder import Another, Silent

    title = news.place.candidate.title
    if isinstance(news, Silent):
        say(text("scanner_setup.silent", language, title=title, reason=str(news.error)))
    elif isinstance(news, Another):
        key = "another" if news.readable else "nonsense"
        say(text(f"scanner_setup.{key}", language, title=title))


def _forget_typed() -> None:
    """A scanner in keyboard mode has typed its code into this terminal, too: the shell is not to run it."""
    if sys.platform != "win32" and sys.stdin.isatty():
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def _table(found: Found, name: str) -> dict[str, object]:
    table: dict[str, object] = {"name": name, "driver": found.place.driver}
    table["options"] = dict(found.place.candidate.options)
    return {**table, "framing": found.framing} if found.framing else table


def _tell(found: Found, table: dict[str, object], language: Language, *, drawn: bool) -> None:
    from agent.scanning.config_edit import scanner_lines

    say(text("scanner_setup.found", language, title=found.place.candidate.title, driver=found.place.driver))
    say(text("scanner_setup.aim" if found.aim else "scanner_setup.no_aim", language, aim=found.aim))
    if not drawn:
        say(text("scanner_setup.paper", language))
    if not found.ended:
        say(text("scanner_setup.no_end", language))
    if found.place.driver == "hid_keyboard":
        say(text("scanner_setup.keyboard", language))
    click.echo("\n".join(["", *scanner_lines(table), ""]))


def _free_name(config: Config | None) -> str:
    known = {each.name for each in config.scanner} if config else set()
    return next(name for name in ("scanner", *(f"scanner{number}" for number in range(2, 1000))) if name not in known)


def _write(path: Path, table: dict[str, object], till: str, language: Language) -> None:
    from agent.config import ConfigError
    from agent.scanning.config_edit import CannotEdit
    from agent.scanning.config_file import write_scanner

    try:
        write_scanner(path, table, till)
    except (CannotEdit, KeyError, ValueError) as error:
        say(text("scanner_setup.not_written", language, path=str(path), reason=str(error) or "TOML"))
        sys.exit(1)
    except OSError as error:
        say(text("scanner_setup.not_written", language, path=str(path), reason=error.strerror or str(error)))
        sys.exit(1)
    except ConfigError as error:
        say(text("error.config", language))
        say(str(error))
        sys.exit(78)
