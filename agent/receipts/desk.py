"""What every receipt verb begins with: where templates, profiles, logo and language come from, and how a mistake is said."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from loyalty.errors import TillmateError
from loyalty.i18n import LANGUAGES, Language, text

if TYPE_CHECKING:
    from agent.config import Config
    from agent.receipts.paper import Model
    from agent.receipts.source import Source
    from receipt_templates.document import Document

WIDTHS: Final = (58, 80)

Verb = Callable[..., None]

_CONFIG = click.option("--config", "config_path", type=click.Path(path_type=Path, dir_okay=False), help="config.toml.")
_TEMPLATES = click.option(
    "--templates",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of own templates; default: the config's.",
)
_LANGUAGE = click.option(
    "--language", type=click.Choice(LANGUAGES), help="Default: as the data or the config says, or ru."
)


@dataclass(frozen=True)
class Desk:
    """`wish` is the language that was asked for."""

    config: Config | None
    source: Source
    wish: Language | None

    @property
    def language(self) -> Language:
        """Of messages, and of slips whose data does not say."""
        return self.wish or self.source.language

    @property
    def configured(self) -> Config:
        """The config. Raises BadInput where there is none."""
        from agent.receipts.source import BadInput

        if self.config is None:
            raise BadInput("no_printer")
        return self.config

    def read(self, data: str) -> tuple[Language, dict[str, object]]:
        """The data and its language. Raises BadInput."""
        from agent.receipts.source import read_data, take_language

        read = read_data(data)
        told = take_language(read)
        return self.wish or told or self.language, read

    def slip(self, name: str, data: str | None) -> Document:
        """The slip of that data, or of the example. Raises BadInput."""
        from agent.receipts.source import known
        from receipt_templates.templates import example

        known(name)
        if data is None:
            return self.source.document(name, self.language, example(name, self.language))
        return self.source.document(name, *self.read(data))

    def model(self, name: str, width: int) -> Model:
        """That printer with that paper. Raises BadInput."""
        from agent.receipts.paper import model

        return model(name, self.source.profile(name), width, logo=self.source.logo)

    def models(self, name: str, widths: Sequence[int]) -> list[Model]:
        """On each of these widths that the printer takes; if it takes none, that is said of the first."""
        has = self.source.profile(name).paper
        return [self.model(name, width) for width in widths if str(width) in has] or [self.model(name, widths[0])]

    def all_models(self, names: Sequence[str], width: str | None) -> list[Model]:
        """The named ones, else those of the config with its paper, else `default`."""
        if not names and self.config and self.config.printer:
            from agent.receipts.slip_printing import model_of

            configured = [model_of(self.config, table, self.source) for table in self.config.printer]
            return [model for model in configured if model.width in widths_of(width)]
        return [model for name in names or ["default"] for model in self.models(name, widths_of(width))]


def with_desk(*, needs_config: bool = False) -> Callable[[Verb], Verb]:
    """A verb that gets a `Desk`, made from the options that all of them have; its BadInput ends with code 2."""

    def decorate(verb: Verb) -> Verb:
        @_TEMPLATES
        @_LANGUAGE
        @_CONFIG
        @click.pass_context
        @functools.wraps(verb)
        def run(
            context: click.Context,
            /,
            config_path: Path | None,
            language: Language | None,
            templates: Path | None,
            **given: object,
        ) -> None:
            config = _config(config_path or context.obj, needs_config)
            with said(language or (config.language if config else "ru")):
                from agent.receipts.source import source_of

                verb(Desk(config, source_of(config, templates), language), **given)

        return run

    return decorate


def _config(path: Path, needed: bool) -> Config | None:
    """The config, where there is one to be read. The usual file may be missing; one that was named may not."""
    from agent.config import DEFAULT_PATH, ConfigError, load

    if not needed and path == DEFAULT_PATH and not os.access(path, os.R_OK):
        return None
    try:
        return load(path)
    except ConfigError as error:
        _say(text("error.config", error.language))
        _say(str(error))
        sys.exit(78)


def widths_of(wish: str | None) -> tuple[int, ...]:
    """The width that was asked for, else all."""
    return (int(wish),) if wish else WIDTHS


@contextmanager
def said(language: Language) -> Iterator[None]:
    """Say in one sentence what was wrong with what was given, and end."""
    try:
        yield
    except TillmateError as error:
        _say(error.said(language))
        sys.exit(2)


def _say(message: str) -> None:
    click.echo(message, err=True)
