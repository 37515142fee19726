"""config.toml: every mistake at once, with its place, in the language of the file; and the example that cannot go stale."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import config, config_words
from agent.config import Config, ConfigError
from agent.wiring import scanner_framing
from drivers import registry
from loyalty.strict import Mistake, Mistakes, structure

ROOT = Path(__file__).parents[2]

GOOD = """
language = "{language}"
[server]
url = "https://loyalty.example.org"
[[till]]
id = "1"
printer = "receipt"
scanners = ["counter"]
[[scanner]]
name = "counter"
driver = "serial_port"
options = {{ port = "/dev/ttyACM0" }}
[[printer]]
name = "receipt"
driver = "tcp"
options = {{ host = "192.168.1.50" }}
"""

BROKEN = """
language = "{language}"
[server]
url = "http://loyalty.example.org"
sync_seconds = 0
[api]
port = 70000
alowed_origins = []
[receipt]
shop = 5
[[till]]
id = "1"
printer = "recipt"
scanners = ["counter", "nowhere"]
[[till]]
id = "1"
scanners = ["counter"]
[[scanner]]
name = "counter"
driver = "serial_prot"
[[printer]]
name = "receipt"
driver = "tcp"
widht = 80
profile = "defualt"
options = {{ prot = 9100 }}
"""

ENGLISH = {
    "server.url": "must be https://HOST (http only for this machine)",
    "server.sync_seconds": "must be from 0.1 to 3600",
    "api.port": "must be from 1024 to 65535",
    "api.alowed_origins": "unknown key, did you mean 'allowed_origins'?",
    "receipt.shop": "must be text, not a whole number",
    "till[0].printer": "no [[printer]] is called 'recipt', did you mean 'receipt'?",
    "till[0].scanners[1]": "no [[scanner]] is called 'nowhere'",
    "till[1].id": "'1' stands twice",
    "till[1].scanners[0]": "scanner 'counter' already belongs to till 1",
    "scanner[0].driver": "there is no driver 'serial_prot', did you mean 'serial_port'?",
    "printer[0].widht": "unknown key, did you mean 'width'?",
    "printer[0].profile": "there is no printer profile 'defualt', did you mean 'default'?",
    "printer[0].options.host": "is missing",
    "printer[0].options.prot": "unknown key, did you mean 'port'?",
}


def mistakes(folder: Path, source: str) -> dict[str, str]:
    path = folder / "config.toml"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert str(path) in str(caught.value)
    return {each.path: each.text for each in caught.value.mistakes}


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(GOOD.format(language="en"), encoding="utf-8")
    loaded = config.load(path)
    assert (loaded.api.port, loaded.printer[0].width, loaded.till[0].scanners) == (8737, 80, ("counter",))
    assert loaded.folder == Path("/var/lib/tillmate")


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    assert mistakes(tmp_path, BROKEN.format(language="en")) == ENGLISH


def test_in_russian_every_mistake_has_its_russian_sentence(tmp_path: Path) -> None:
    russian = mistakes(tmp_path, BROKEN.format(language="ru"))
    assert russian.keys() == ENGLISH.keys()
    assert russian["api.alowed_origins"] == "неизвестный ключ, может быть, «allowed_origins»?"
    assert russian["receipt.shop"] == "ожидается текст, а здесь целое число"
    for path, sentence in russian.items():
        assert any("а" <= letter <= "я" for letter in sentence), (path, sentence)


SPARE = """
[[scanner]]
name = "spare"
driver = "serial_port"
options = { port = "/dev/ttyACM1" }
[[printer]]
name = "kitchen"
driver = "tcp"
options = { host = "192.168.1.51" }
"""


def test_a_device_that_no_till_names_is_a_mistake(tmp_path: Path) -> None:
    assert mistakes(tmp_path, GOOD.format(language="en") + SPARE) == {
        "scanner[1].name": "no [[till]] names 'spare', so it would never be used",
        "printer[1].name": "no [[till]] names 'kitchen', so it would never be used",
    }


def test_a_device_whose_name_is_written_wrong_in_its_till_is_named_there_only(tmp_path: Path) -> None:
    source = GOOD.format(language="en").replace('"receipt"\nscanners = ["counter"]', '"recipt"\nscanners = ["countr"]')
    assert mistakes(tmp_path, source).keys() == {"till[0].printer", "till[0].scanners[0]"}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("server.url", 'url = "https://loyalty.example.org:port"'),
        ("server.url", 'url = "https://[loyalty.example.org"'),
        ("server.url", 'url = "loyalty.example.org"'),
        ("api.allowed_origins[0]", '[api]\nallowed_origins = ["https://pos.example.org/"]'),
        ("api.allowed_origins[0]", '[api]\nallowed_origins = ["https://POS.example.org"]'),
        ("api.allowed_origins[1]", """[api]\nallowed_origins = ["https://pos.example.org", "'none'; script-src *"]"""),
        ("state.folder", '[state]\nfolder = "state"'),
        ("state.folder", '[state]\nfolder = ""'),
    ],
)
@pytest.mark.parametrize("language", ["ru", "en"])
def test_addresses_and_folders_that_could_not_work_are_mistakes(
    tmp_path: Path, path: str, line: str, language: str
) -> None:
    good = GOOD.format(language=language)
    source = good.replace('url = "https://loyalty.example.org"', line) if path == "server.url" else good + line
    assert mistakes(tmp_path, source).keys() == {path}


def test_origins_as_browsers_name_them_are_good(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    origins = ("https://pos.example.org", "http://127.0.0.1:8800", "http://[::1]:8800")
    path.write_text(f"{GOOD.format(language='en')}[api]\nallowed_origins = {list(origins)}\n", encoding="utf-8")
    assert config.load(path).api.allowed_origins == origins


@pytest.mark.parametrize(
    ("source", "words"),
    [("language = 'ru'\n[", "не читается"), ("[", "cannot be read"), ("\xff", "cannot be read")],
)
def test_a_file_that_is_no_toml(tmp_path: Path, source: str, words: str) -> None:
    (tmp_path / "config.toml").write_bytes(source.encode("latin-1"))
    with pytest.raises(ConfigError, match=words):
        config.load(tmp_path / "config.toml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        config.load(tmp_path / "nothing.toml")


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(["till", "scanner", "printer", "options", "driver", "name", "id", "server", "width"]),
                inner,
            ),
        ),
        max_leaves=20,
    ).filter(lambda value: isinstance(value, dict))
)
def test_no_shape_of_a_file_raises_anything_else(table: dict[str, object]) -> None:
    for language in ("ru", "en"):
        found = list(config.config_checks.mistakes(table, language))  # type: ignore[arg-type]
        assert all(isinstance(each, Mistake) and each.text for each in found)
    with pytest.raises(Mistakes):
        structure(table, Config)


def test_the_example_at_the_root_is_printed_from_the_types() -> None:
    assert (ROOT / "config.example.toml").read_text(encoding="utf-8") == config.example(), (
        "run: tillmate config example > config.example.toml"
    )


def test_the_example_says_what_it_means(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(config.example(), encoding="utf-8")
    assert config.load(path) == config.EXAMPLE


def test_every_key_of_the_types_is_explained() -> None:
    lines = config.example().splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#") and line.split(" ")[0] != "member_card":
            assert lines[number - 1].startswith("# "), line
    assert tomllib.loads(config.example())["till"]


@pytest.mark.parametrize(
    "sentence",
    [
        "must be one of 58, 80",
        "must be a list, not text",
        "must be 4 or more",
        "must be a finite number",
        "must be an absolute path",
        "must be like https://pos.example.org:8443, without a path",
    ],
)
def test_sentences_of_the_loader_are_known_in_russian(sentence: str) -> None:
    said = config_words.say(Mistake("x", sentence), "ru")
    assert said.path == "x"
    assert said.text != sentence


def test_a_sentence_of_a_stranger_stays() -> None:
    assert config_words.say(Mistake("x", "frobnicate first"), "ru") == Mistake("x", "frobnicate first")


SCANNER = """
[server]
url = "https://loyalty.example.org"
[[till]]
id = "1"
scanners = ["counter"]
[[scanner]]
name = "counter"
driver = "{driver}"
options = {{ {options} }}
{more}
"""


@pytest.mark.parametrize(
    ("driver", "options", "more"),
    [
        (
            "serial_port",
            'port = "/dev/ttyS0"',
            'framing = { start = "\\u0002", terminators = "\\u0003" }\nrepeat_ms = 0',
        ),
        ("serial_port", 'vendor = "0c2e", product = "0720", serial = "A1"', "framing = { length = 13 }"),
        ("tcp", 'host = "192.168.1.60", port = 9100', ""),
        ("tcp", 'listen = "192.168.1.10:8741", allow = "192.168.1.0/24"', "framing.idle_ms = 100"),
        ("hid_keyboard", 'vendor = "0c2e", product = "0b61"', 'framing = { prefix = "@" }'),
        ("hid_pos", 'port = "1-2.3"', ""),
    ],
)
def test_scanners_as_they_may_be_written(tmp_path: Path, driver: str, options: str, more: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(SCANNER.format(driver=driver, options=options, more=more), encoding="utf-8")
    assert config.load(path).scanner[0].driver == driver


@pytest.mark.parametrize(
    ("driver", "options", "more", "path"),
    [
        ("serial_port", 'port = "/dev/ttyS0"', "framing = { lenght = 13 }", "framing.lenght"),
        ("serial_port", 'port = "/dev/ttyS0"', "framing = { idle_ms = 0 }", "framing"),
        ("serial_port", 'port = "/dev/ttyS0"', 'framing = { start = "\\r" }', "framing"),
        ("hid_pos", 'port = "1-2.3"', 'framing = { start = "\\u0000" }', "framing"),
        ("serial_port", 'port = "/dev/ttyS0"', 'framing = "CR"', "framing"),
        ("serial_port", 'port = "/dev/ttyS0"', "repeat_ms = -1", "repeat_ms"),
        ("hid_keyboard", "", "", "options"),
        ("hid_keyboard", 'vendor = "0c2e"', "", "options"),
        ("tcp", 'listen = "0.0.0.0:8741"', "", "options"),
    ],
)
def test_scanners_as_they_may_not_be_written(tmp_path: Path, driver: str, options: str, more: str, path: str) -> None:
    found = mistakes(tmp_path, SCANNER.format(driver=driver, options=options, more=more))
    assert found.keys() == {f"scanner[0].{path}"}


def test_what_is_told_of_a_framing_goes_before_what_the_driver_expects(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    source = SCANNER.format(driver="hid_keyboard", options='port = "1-2"', more='framing = { prefix = "@" }')
    path.write_text(source, encoding="utf-8")
    (table,) = config.load(path).scanner
    framing = scanner_framing(registry.find("scanner", "hid_keyboard"), table)
    assert (framing.prefix, framing.terminators, framing.idle_ms) == ("@", "\r\n\t", 100)


def test_all_our_drivers_can_be_named() -> None:
    assert registry.names("scanner") == ["hid_keyboard", "hid_pos", "serial_port", "tcp"]
    assert "tcp" in registry.names("printer")
