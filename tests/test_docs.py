"""The documentation against the program: links, commands, problem codes, sentences of the screen, the example driver."""

from __future__ import annotations

import importlib.util
import re
import shlex
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from agent import problems
from agent.api import refusals
from agent.cli import main as tillmate
from drivers import registry
from drivers.base import DeviceGone, Driver
from loyalty_server.cli import main as tillmate_server

REPO = Path(__file__).parents[1]
PAGES = sorted([*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md")])
COMMANDS: dict[str, click.Command] = {"tillmate": tillmate, "tillmate-server": tillmate_server}
PREFIXES = {"sudo", "export"}
ENDS = {"...", "[OPTIONS]"}


def name_of(page: Path) -> str:
    return str(page.relative_to(REPO))


# Links


def slug(heading: str) -> str:
    """The anchor that a heading gets where the pages are read."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def links(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in map(slug, headings), link


def test_there_are_links_and_every_guide_is_linked_from_the_readme() -> None:
    guides = {f"docs/{guide.name}" for guide in (REPO / "docs").glob("*.md")}
    assert len(guides) >= 6
    assert guides <= set(links(REPO / "README.md"))


# Commands


def code_of(page: Path) -> Iterator[str]:
    """Lines of code blocks, with continued ones joined, and inline code."""
    text = page.read_text(encoding="utf-8")
    fence = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
    for language, block in fence.findall(text):
        if language in ("", "sh"):
            yield from block.replace("\\\n", " ").splitlines()
    yield from re.findall(r"`([^`\n]+)`", fence.sub("", text))


def calls(line: str) -> Iterator[list[str]]:
    """Each call of one of our commands in a line of shell: its words."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = [*lexer, ";"]
    except ValueError:  # no shell: half a quotation in other code
        return
    simple: list[str] = []
    for word in words:
        if set(word) - set("();<>|&"):
            simple.append(word)
            continue
        while simple and (simple[0] in PREFIXES or re.match(r"\w+=", simple[0])):
            simple.pop(0)
        if simple and Path(simple[0]).name in COMMANDS:
            yield simple
        simple = []


def mistake(words: list[str]) -> str | None:
    """What of the call the command does not have."""
    command = COMMANDS[Path(words[0]).name]
    options = {"--help": False, "--version": False, **options_of(command)}
    rest = [word for word in words[1:] if word not in ENDS]
    while rest:
        word = rest.pop(0)
        name, _, value = word.partition("=")
        if word.startswith("-"):
            if name not in options:
                return f"{' '.join(words)}: no option {name}"
            del rest[: int(options[name] and not value)]
        elif isinstance(command, click.Group):
            if word not in command.commands:
                return f"{' '.join(words)}: no verb {word}"
            command = command.commands[word]
            options |= options_of(command)
    return None


def options_of(command: click.Command) -> dict[str, bool]:
    """Its options, and whether each takes a value."""
    found = [each for each in command.params if isinstance(each, click.Option)]
    return {name: not option.is_flag for option in found for name in option.opts}


def test_the_reader_of_commands_sees_mistakes() -> None:
    (call,) = calls('sudo TILLMATE_CONFIG=x .venv/bin/tillmate open --till 1 --for pos # "comment"')
    assert mistake(call) is None
    (call,) = calls("CODE=$(tillmate opne --print) && echo tillmate nonsense")
    assert mistake(call) == "tillmate opne --print: no verb opne"
    (call,) = calls("tillmate-server device new-code --data --store --shop S1 > file")
    assert mistake(call) == "tillmate-server device new-code --data --store --shop S1: no option --shop"
    assert not list(calls("journalctl -u tillmate -b --grep 'x'"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_options_exist(page: Path) -> None:
    assert [found for line in code_of(page) for call in calls(line) if (found := mistake(call))] == []


def test_every_verb_is_in_the_docs() -> None:
    shown = [call for page in PAGES for line in code_of(page) for call in calls(line)]
    told = {(Path(program).name, *words) for program, *words in shown}
    missing = [
        verbs
        for name, command in COMMANDS.items()
        for verbs in leaves(command, name)
        if not any(set(verbs) <= set(call) for call in told)
    ]
    assert missing == []


def leaves(command: click.Command, *above: str) -> Iterator[tuple[str, ...]]:
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from leaves(each, *above, name)
    else:
        yield above


# Problem codes


def rows(page: Path, heading: str) -> dict[str, tuple[str, ...]]:
    """The first table behind that line: first cell without its marks -> the other cells."""
    text = page.read_text(encoding="utf-8").split(heading, 1)[1].lstrip()
    table = text[text.index("|") :].split("\n\n", 1)[0].splitlines()[2:]
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table]
    return {first.strip("`"): tuple(others) for first, *others in cells}


def as_shown(table: dict[str, tuple[int, bool, str]]) -> dict[str, tuple[str, str]]:
    return {code: (str(status), "yes" if retryable else "no") for code, (status, retryable, _) in table.items()}


@pytest.mark.parametrize(
    ("heading", "table"),
    [("From a till:", problems._TABLE), ("From the door,", refusals._TABLE)],
    ids=["till", "door"],
)
def test_problem_codes_are_those_of_the_program(heading: str, table: dict[str, tuple[int, bool, str]]) -> None:
    shown = rows(REPO / "docs/pos.md", heading)
    assert {code: others[:2] for code, others in shown.items()} == as_shown(table)


CASES_ALONE = {  # a cash register sends no case files
    "bad_case", "bad_json", "bad_return", "case_too_large", "case_unreadable", "key_twice", "unknown_key", "unknown_key_near",
}  # fmt: skip


def test_refusals_of_the_engine_are_all_there() -> None:
    texts = tomllib.loads((REPO / "loyalty/en.toml").read_text(encoding="utf-8"))
    assert rows(REPO / "docs/pos.md", "From the programme,").keys() == texts["refusal"].keys() - CASES_ALONE


# Printers


def test_the_printer_tables_are_taken_and_every_driver_has_one() -> None:
    page = (REPO / "docs/printers.md").read_text(encoding="utf-8")
    tables = [tomllib.loads(block)["printer"][0] for block in re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)]
    for table in tables:
        driver = registry.find("printer", table["driver"])
        driver.options(**table["options"])  # raises for wrong keys and values
    assert {table["driver"] for table in tables} == set(registry.names("printer"))


# Sentences of the screen


@pytest.mark.parametrize(("language", "half"), [("ru", 0), ("en", 1)])
def test_what_the_cashier_reads_is_what_the_screen_says(language: str, half: int) -> None:
    page = (REPO / "docs/cashier.md").read_text(encoding="utf-8").split("\n---\n")[half]
    quoted = re.findall(r"\*\*([^*]+)\*\*", page)
    assert len(quoted) > 15
    said = set(sentences(tomllib.loads((REPO / f"loyalty/{language}.toml").read_text(encoding="utf-8"))))
    assert set(quoted) <= said, set(quoted) - said


def sentences(texts: dict[str, object]) -> Iterator[str]:
    for value in texts.values():
        if isinstance(value, dict):
            yield from sentences(value)
        else:
            yield re.sub(r"\{\w+\}", "…", str(value))


# The example driver


@pytest.fixture
def example(tmp_path: Path) -> Path:
    page = (REPO / "docs/drivers.md").read_text(encoding="utf-8")
    path = tmp_path / "unix_socket.py"
    path.write_text(page.split("```python\n", 1)[1].split("```", 1)[0], encoding="utf-8")
    return path


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[path.stem]
    return module


def test_the_example_driver_scans(example: Path, tmp_path: Path) -> None:
    driver = loaded(example).DRIVER
    assert isinstance(driver, Driver)
    assert (driver.kind, driver.name) == ("scanner", example.stem)
    address = tmp_path / "s"
    with pytest.raises(DeviceGone, match="check that its program runs"):
        driver.open(driver.options(path=str(address)))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        device = driver.open(driver.options(path=str(address)))
        peer, _ = listener.accept()
        with peer:
            assert device.read(0.01) == b""
            threading.Timer(0.05, peer.sendall, (b"2900000000117\r\n",)).start()
            assert device.read(5.0) == b"2900000000117\r\n"
    with pytest.raises(DeviceGone, match="hung up"):
        device.read(5.0)
    device.close()
    device.close()


@pytest.mark.timeout(300)
def test_the_example_driver_is_well_typed_and_tidy(example: Path, tmp_path: Path) -> None:
    tools = Path(sys.executable).parent
    for command in (
        [tools / "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", example],
        [tools / "ruff", "check", f"--config={REPO / 'pyproject.toml'}", "--no-cache", example],
        [tools / "ruff", "format", f"--config={REPO / 'pyproject.toml'}", "--no-cache", "--check", example],
    ):
        done = subprocess.run([str(word) for word in command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
