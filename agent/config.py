"""config.toml as frozen types, and the loader that names every mistake at once.

The types below are the only description of the file: `load` holds a file against them (unknown keys, wrong types and
missing keys come from `loyalty.strict`, each with its key path and "did you mean"), and `example` prints
config.example.toml from them, comments included. Each driver describes its own `options`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from agent import config_checks, config_words
from agent.state_folder import DEFAULT_FOLDER, profiles_in
from agent.toml_example import toml_lines
from loyalty.codes import CodeRules, Rule
from loyalty.errors import TillmateError
from loyalty.i18n import Language, text
from loyalty.strict import Check, Mistake, Mistakes, between, structure

DEFAULT_PATH = Path("/etc/tillmate/config.toml")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_RUSSIAN = re.compile(r"""^\s*language\s*=\s*["']ru""", re.MULTILINE)
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class ConfigError(TillmateError):
    """Fix the file and restart. `mistakes` holds all of them; the message has one line for each."""

    code: ClassVar[str] = "config"

    def __init__(self, path: Path, mistakes: tuple[Mistake, ...], language: Language) -> None:
        lines = (f"{path}: {each.path}: {each.text}" if each.path else f"{path}: {each.text}" for each in mistakes)
        super().__init__("\n".join(lines))
        self.mistakes = mistakes
        self.language = language


def _doc(doc: str) -> dict[str, object]:
    return {"doc": doc}


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    return bool(host) and port != 0 and parts.scheme in (("https", "http") if host in _LOOPBACK else ("https",))


Name = Annotated[str, Check(lambda name: bool(_NAME.fullmatch(name)), "must be 1-32 letters, digits, - or _")]
Folder = Annotated[str, Check(lambda folder: Path(folder).is_absolute(), "must be an absolute path")]
FileOrNone = Annotated[str, Check(lambda path: not path or Path(path).is_absolute(), "must be an absolute path")]
Origin = Annotated[
    str,
    Check(lambda origin: bool(_ORIGIN.fullmatch(origin)), "must be like https://pos.example.org:8443, without a path"),
]
Seconds = Annotated[float, Check(lambda seconds: 0.1 <= seconds <= 3600, "must be from 0.1 to 3600")]


@dataclass(frozen=True, kw_only=True)
class State:
    folder: Folder = field(
        default=DEFAULT_FOLDER,
        metadata=_doc(
            "Queue, replica and keys of this device. Back up queue.db like money; members.db can be fetched again."
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Queue:
    ballast_mb: Annotated[int, between(0, 1024)] = field(
        default=16,
        metadata=_doc(
            "Megabytes kept for a full disk: given up then, so that what is stored can still be delivered. 0 = none."
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Server:
    url: Annotated[str, Check(_is_server, "must be https://HOST (http only for this machine)")] = field(
        metadata=_doc("The central loyalty server; https, or http on this machine only.")
    )
    claim_code: str = field(
        default="",
        metadata=_doc(
            "One-time code from `tillmate-server device new-code`. Used once, at the first start; empty it afterwards."
        ),
    )
    sync_seconds: Seconds = field(
        default=5.0, metadata=_doc("How often to ask the server for news. Sales are sent at once, whatever this says.")
    )


@dataclass(frozen=True, kw_only=True)
class Api:
    port: Annotated[int, between(1024, 65535)] = field(
        default=8737, metadata=_doc("The port for the POS and the cashier page, on 127.0.0.1 only.")
    )
    allowed_origins: tuple[Origin, ...] = field(
        default=(),
        metadata=_doc('Web pages that may show the cashier page inside their own: ["https://pos.example.org:8443"].'),
    )


@dataclass(frozen=True, kw_only=True)
class Receipt:
    shop: str = field(default="", metadata=_doc("The name at the head of each slip."))
    valid_days: Annotated[int, between(1, 14)] = field(
        default=14,
        metadata=_doc("How long the enrolment QR may be used, as printed; the server accepts it for 14 days."),
    )
    templates: FileOrNone = field(
        default="", metadata=_doc("Folder of your own receipt templates, which go before ours. Docs: receipts.md.")
    )
    logo: FileOrNone = field(
        default="",
        metadata=_doc("Picture (PNG, BMP or JPEG) for the receipts that have a logo; black on white is best."),
    )


@dataclass(frozen=True, kw_only=True)
class Till:
    id: Name = field(metadata=_doc("The till as the server knows it; it is in the addresses of the POS API."))
    printer: str | None = field(default=None, metadata=_doc("Name of its [[printer]]; leave out if the POS prints."))
    scanners: tuple[str, ...] = field(default=(), metadata=_doc("Names of its [[scanner]]s."))


@dataclass(frozen=True, kw_only=True)
class Scanner:
    name: Name = field(metadata=_doc("A name for logs and for [[till]]."))
    driver: str = field(metadata=_doc("File in drivers/scanners/."))
    options: dict[str, object] = field(
        default_factory=dict,
        metadata=_doc(
            "Keys of that driver. A port may be a device, a link in /dev/serial/by-id or socket://HOST:PORT."
        ),
    )
    framing: dict[str, object] = field(
        default_factory=dict,
        metadata=_doc(
            "Where its codes begin and end, if not as its driver expects: terminators, start, prefix, suffix, length, idle_ms."
        ),
    )
    repeat_ms: Annotated[int, between(0, 10_000)] = field(
        default=500, metadata=_doc("The same code again within so many milliseconds is the same scan.")
    )


@dataclass(frozen=True, kw_only=True)
class Printer:
    name: Name = field(metadata=_doc("A name for logs and for [[till]]."))
    driver: str = field(metadata=_doc("File in drivers/printers/."))
    profile: str = field(
        default="default",
        metadata=_doc("Printer model. `tillmate printer setup` finds out what your printer really is."),
    )
    width: Literal[58, 80] = field(default=80, metadata=_doc("Paper width in mm: 58 or 80."))
    lacking: Literal["picture", "refuse"] = field(
        default="picture",
        metadata=_doc("Lines with letters that the printer lacks: print them as pictures, or refuse the receipt."),
    )
    options: dict[str, object] = field(default_factory=dict, metadata=_doc("Keys of that driver."))


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole file."""

    language: Language = field(default="en", metadata=_doc("Language of screen, slips and messages: ru or en."))
    state: State = field(default_factory=State, metadata=_doc("What is kept on this PC."))
    queue: Queue = field(default_factory=Queue, metadata=_doc("The offline queue, queue.db in that folder."))
    server: Server = field(metadata=_doc("Where sales go and members come from."))
    api: Api = field(default_factory=Api, metadata=_doc("The local interface."))
    receipt: Receipt = field(default_factory=Receipt, metadata=_doc("What stands on the slips."))
    codes: CodeRules = field(
        default_factory=CodeRules,
        metadata=_doc(
            "What the codes of this site look like. { pattern = ... } has digits, x for any digit and C for the check digit;\n"
            "{ regex = ... } must match the whole code. The first rule that matches wins."
        ),
    )
    till: tuple[Till, ...] = field(metadata=_doc("One table for each till of this PC."))
    scanner: tuple[Scanner, ...] = field(default=(), metadata=_doc("One table for each scanner."))
    printer: tuple[Printer, ...] = field(default=(), metadata=_doc("One table for each slip printer."))

    @property
    def folder(self) -> Path:
        """The state folder."""
        return Path(self.state.folder)

    @property
    def profiles(self) -> Path:
        """The folder of the printer profiles of this store; they go before ours."""
        return profiles_in(self.folder)


EXAMPLE = Config(
    language="ru",
    server=Server(url="https://loyalty.example.org"),
    receipt=Receipt(shop="Кофейня «Ромашка»"),
    codes=CodeRules(member_card=(Rule(pattern="29xxxxxxxxxxC"),)),
    till=(Till(id="1", printer="receipt", scanners=("counter",)),),
    scanner=(Scanner(name="counter", driver="serial_port", options={"port": "/dev/ttyACM0"}),),
    printer=(Printer(name="receipt", driver="tcp", options={"host": "192.168.1.50"}),),
)


def example() -> str:
    """Return config.example.toml."""
    head = "# Tillmate on the store PC. Check a change with `tillmate check`; a mistake is named with its place."
    return "\n".join([head, "", *toml_lines(EXAMPLE)]) + "\n"


def load(path: Path) -> Config:
    """Read and check the file. Raises ConfigError with every mistake in it."""
    table, language = _read(path)
    found: list[Mistake] = []
    config: Config | None = None
    try:
        config = structure(table, Config)
    except Mistakes as mistakes:
        found.extend(mistakes.mistakes)
    found.extend(config_checks.mistakes(table, language))
    found = [config_words.say(each, language) for each in found]
    if config is None or found:
        raise ConfigError(path, tuple(found), language)
    return config


def _read(path: Path) -> tuple[Mapping[str, Any], Language]:
    source = ""
    try:
        source = path.read_text(encoding="utf-8")
        table = tomllib.loads(source)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        language: Language = "ru" if _RUSSIAN.search(source) else "en"
        raise ConfigError(path, (Mistake("", text("config.unreadable", language, reason=reason)),), language) from error
    return table, "ru" if table.get("language") == "ru" else "en"
