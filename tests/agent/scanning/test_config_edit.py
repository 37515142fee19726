"""A scanner gets into config.toml, and every other byte stays."""

import tomllib
from pathlib import Path

import pytest

from agent import config
from agent.config import ConfigError
from agent.scanning.config_edit import CannotEdit, scanner_lines, with_scanner
from agent.scanning.config_file import write_scanner

FOUND = {"name": "found", "driver": "hid_keyboard", "options": {"vendor": "0c2e", "product": "0b61"}}
FRAMED = {**FOUND, "framing": {"start": "\x02", "terminators": "\x03"}}
HEAD = '[server]\nurl = "https://loyalty.example.org"\n\n'
ONE = """[[till]]
id = "1"    # the only one
scanners = ["counter"]  # here

# the scanner at the counter
[[scanner]]
name = "counter"
driver = "serial_port"
# the port
options = { port = "/dev/ttyACM0" }
repeat_ms = 700

[receipt]
shop = "Ромашка"
"""
SOURCES = {
    "one": ONE,
    "no scanners": '[[till]]\nid = "1"\n',
    "an empty list": '[[till]]\nid = "1"\nscanners = []\n',
    "a list of lines": ONE.replace('["counter"]', '[\n  "counter",  # main\n]'),
    "a list with a comma": ONE.replace('["counter"]', '[ "counter", ]'),
    "no line end at the end": ONE.rstrip(),
    "lines of Windows": ONE.replace("\n", "\r\n"),
    "two tills": ONE + '[[till]]\nid = "2"\n',
    "loosely written": ONE.replace("[[till]]", " [[ till ]]  # till").replace("scanners = ", "scanners="),
}


def removed(after: str, before: str) -> str:
    """What was put in, if nothing else was changed: `before` is what is left without it."""
    left, added = iter(before), ""
    awaited = next(left, "")
    for letter in after:
        if letter == awaited:
            awaited = next(left, "")
        else:
            added += letter
    assert awaited == "", "something is missing"
    return added


@pytest.mark.parametrize("table", [FOUND, FRAMED])
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_new_scanner_is_put_in_and_nothing_else_is_touched(source: str, table: dict[str, object]) -> None:
    after = with_scanner(HEAD + source, table, "1")
    read, before = tomllib.loads(after), tomllib.loads(HEAD + source)
    assert read["scanner"] == [*before.get("scanner", []), table]
    assert read["till"][0]["scanners"] == [*before["till"][0].get("scanners", []), "found"]
    assert read["till"][1:] == before["till"][1:]
    assert read.get("receipt") == before.get("receipt")
    assert "found" in removed(after, HEAD + source)
    if "\r\n" in source:
        assert after.count("\n") - after.count("\r\n") == HEAD.count("\n")


def test_the_second_till_gets_its_own() -> None:
    source = HEAD + ONE + '[[till]]\nid = "2"\n'
    assert [each.get("scanners") for each in tomllib.loads(with_scanner(source, FOUND, "2"))["till"]] == [
        ["counter"],
        ["found"],
    ]


def test_one_of_that_name_is_replaced_with_its_other_keys_and_comments_kept() -> None:
    table = {**FRAMED, "name": "counter"}
    after = with_scanner(HEAD + ONE, table, "1")
    (scanner,) = tomllib.loads(after)["scanner"]
    assert scanner == {**table, "repeat_ms": 700}
    assert tomllib.loads(after)["till"] == [{"id": "1", "scanners": ["counter"]}]
    for kept in ("# the only one", "# the scanner at the counter", "# the port", 'shop = "Ромашка"'):
        assert kept in after
    again = with_scanner(after, {**FOUND, "name": "counter"}, "1")
    assert tomllib.loads(again)["scanner"] == [{**FOUND, "name": "counter", "repeat_ms": 700}]


@pytest.mark.parametrize(
    "source",
    [
        'scanner = [{ name = "counter", driver = "serial_port", options = { port = "a" } }]\n[[till]]\nid = "1"\nscanners = ["counter"]\n',
        'till = [{ id = "1" }]\n',
        ONE.replace('scanners = ["counter"]  # here', "scanners = [ # ] here\n'counter']"),
        ONE.replace('options = { port = "/dev/ttyACM0" }', 'options.port = "/dev/ttyACM0"').replace("counter", "found"),
    ],
)
def test_what_is_not_understood_is_left_alone(source: str) -> None:
    with pytest.raises(CannotEdit):
        with_scanner(source, FOUND, "1")


def test_the_lines_are_what_a_person_would_write() -> None:
    assert scanner_lines(FRAMED) == [
        "[[scanner]]",
        'name = "found"',
        'driver = "hid_keyboard"',
        'options = { vendor = "0c2e", product = "0b61" }',
        'framing = { start = "\\u0002", terminators = "\\u0003" }',
    ]


def test_the_file_is_replaced_whole_with_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(HEAD + ONE, encoding="utf-8")
    path.chmod(0o640)
    write_scanner(path, FOUND, "1")
    loaded = config.load(path)
    assert [each.name for each in loaded.scanner] == ["counter", "found"]
    assert loaded.scanner[1].options == FOUND["options"]
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("table", "till", "error"),
    [
        (FOUND, "7", CannotEdit),
        ({**FOUND, "options": {"port": "1-2", "vendor": "zz"}}, "1", ConfigError),
        ({**FOUND, "name": "with blanks"}, "1", ConfigError),
    ],
)
def test_what_the_agent_would_not_take_is_not_written(
    tmp_path: Path, table: dict[str, object], till: str, error: type[Exception]
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(HEAD + ONE, encoding="utf-8")
    with pytest.raises(error):
        write_scanner(path, table, till)
    assert path.read_text(encoding="utf-8") == HEAD + ONE
    assert list(tmp_path.iterdir()) == [path]
