"""`tillmate printer setup` against a virtual printer whose code pages are where no profile of that name has them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from agent import config
from agent.cli import main
from drivers.printers.escpos.code_page_test import LINE, setup_page
from drivers.printers.escpos.identify import likely_profile
from drivers.printers.escpos.profile import Page, load_profile, profile_names
from drivers.printers.escpos.profile_file import profile_toml

if TYPE_CHECKING:
    from conftest import VirtualPrinter

CONFIG = """
language = "en"
[state]
folder = "{folder}"
[server]
url = "http://127.0.0.1:9"
[[till]]
id = "1"
printer = "front-desk"
[[printer]]
name = "front-desk"
driver = "tcp"
profile = "{profile}"
options = {{ host = "127.0.0.1", port = {port} }}
"""


class Odd:
    """A virtual printer with the code pages of some family."""

    def __init__(self, printer: VirtualPrinter, folder: Path) -> None:
        self.printer, self.folder = printer, folder

    def call(self, *words: str, given: str = "", profile: str = "default", port: int | None = None) -> Result:
        """A verb, with the config of this printer."""
        file = self.folder / "config.toml"
        source = CONFIG.format(folder=self.folder / "state", port=port or self.printer.port, profile=profile)
        file.write_text(source, encoding="utf-8")
        return CliRunner().invoke(main, [*words, "--config", str(file)], input=given)

    @property
    def last(self) -> str:
        return self.printer.papers[-1]

    def right(self) -> list[int]:
        """What a person says who looks at the page."""
        numbered = re.findall(r"^ ?(\d+) (.*)$", self.last, flags=re.MULTILINE)
        assert len(numbered) > 15
        return [int(number) for number, line in numbered if line == LINE or line == LINE.replace("—", "-")]


@pytest.fixture
def odd(start_printer: Callable[..., VirtualPrinter], tmp_path: Path) -> Callable[..., Odd]:
    """odd("rp326", chinese=False)."""

    def start(family: str, **options: object) -> Odd:
        return Odd(start_printer(family=family, dots=576, **options), tmp_path)

    return start


@pytest.mark.parametrize(
    ("family", "best"), [("rp326", Page("cp1251", 6)), ("ocd", Page("cp1251", 12)), ("star", Page("cp1251", 34))]
)
def test_a_printer_with_odd_slots_prints_russian_after_setup(odd: Callable[..., Odd], family: str, best: Page) -> None:
    printer = odd(family)
    assert printer.call("printer", "setup", given="0\n48\ny\n").exit_code == 0
    right = printer.right()
    assert right
    chosen = [word for number in right for word in ("--choose", str(number))]
    ended = printer.call("printer", "setup", *chosen, "--columns", "48", "--qr", "--yes")
    assert ended.exit_code == 0, ended.output
    file = printer.folder / "state" / "profiles" / "front-desk.toml"
    assert ended.output.splitlines()[-3:] == [
        f"The profile is written: {file}",
        "Put this into config.toml, into the [[printer]] called 'front-desk':",
        'profile = "front-desk"',
    ]
    profile = load_profile("front-desk", file.parent)
    assert profile.pages[0] == best
    assert (profile.native_qr, profile.size(80).columns) == (True, 48)
    assert not profile.leaves_chinese_mode
    ended = printer.call("receipt", "print", "sale", "--language", "ru", profile="front-desk")
    assert (ended.exit_code, "Капучино" in printer.last, "[qr https" in printer.last) == (0, True, True)


def test_a_clone_that_starts_in_its_chinese_mode_is_told_to_leave_it(odd: Callable[..., Odd]) -> None:
    printer = odd("nt-pos", chinese=True)
    assert printer.call("printer", "setup", given="0\n48\ny\n").exit_code == 0
    chosen = [word for number in printer.right() for word in ("--choose", str(number))]
    assert chosen
    assert printer.call("printer", "setup", *chosen, "--yes").exit_code == 0
    profile = load_profile("front-desk", printer.folder / "state" / "profiles")
    assert (profile.leaves_chinese_mode, profile.pages[0].codec) == (True, "cp1251")
    ended = printer.call("receipt", "print", "sale", "--language", "ru", profile="front-desk")
    assert (ended.exit_code, "Капучино" in printer.last) == (0, True)


def test_the_page_has_rulers_and_a_qr_and_questions_are_asked_until_answered(odd: Callable[..., Odd]) -> None:
    printer = odd("epson")
    ended = printer.call("printer", "setup", given="yes\n99\n1, 2\n40\n44\nn\n")
    assert ended.exit_code == 0
    assert ended.output.count("Please type numbers of lines") == 2
    rulers = re.findall(r"^-+(\d+)$", printer.last, flags=re.MULTILINE)
    assert rulers == ["42", "44", "48"]
    assert "[qr TILLMATE]" in printer.last
    profile = load_profile("front-desk", printer.folder / "state" / "profiles")
    assert (profile.native_qr, profile.size(80).columns, len(profile.pages)) == (False, 44, 2)


def test_a_printer_without_russian_letters_prints_pictures_of_them(odd: Callable[..., Odd]) -> None:
    printer = odd("latin")
    assert printer.call("printer", "setup", "--choose", "0", "--yes").exit_code == 0
    assert printer.right() == []
    ended = printer.call("receipt", "print", "balance", "--language", "ru", profile="front-desk")
    assert (ended.exit_code, "[picture" in printer.last, "?" in printer.last) == (0, True, False)


def test_what_is_wrong_is_said(odd: Callable[..., Odd]) -> None:
    printer = odd("epson")
    ended = printer.call("printer", "setup", "--yes")
    assert (ended.exit_code, "--choose NUMBER" in ended.stderr) == (2, True)
    ended = printer.call("printer", "setup", "--choose", "99", "--yes")
    assert (ended.exit_code, "That is not on the page: it has the lines 1 to" in ended.stderr) == (2, True)
    ended = printer.call("printer", "setup", "--choose", "1", "--yes", "--printer", "back")
    assert (ended.exit_code, "No [[printer]] is called 'back'" in ended.stderr) == (2, True)
    ended = printer.call("printer", "setup", "--choose", "1", "--yes", port=9)
    assert (ended.exit_code, "The printer front-desk is not there" in ended.stderr) == (2, True)
    (printer.folder / "state").write_text("in the way")
    ended = printer.call("printer", "setup", "--choose", "1", "--yes")
    assert (ended.exit_code, "cannot be written" in ended.stderr) == (2, True)


def test_a_profile_of_the_store_that_is_spoilt_is_a_mistake_of_the_config(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "profiles"
    folder.mkdir(parents=True)
    (folder / "front-desk.toml").write_text("title = 5\n")
    file = tmp_path / "config.toml"
    file.write_text(CONFIG.format(folder=tmp_path / "state", port=9, profile="front-desk"))
    with pytest.raises(config.ConfigError, match=r"printer\[0\].profile: the printer profile cannot be read"):
        config.load(file)


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_can_be_written_and_set_up(name: str) -> None:
    profile = load_profile(name)
    assert profile_toml(profile, "one\ntwo").startswith("# one\n# two\ntitle = ")
    for width in (58, 80):
        page = setup_page(profile, width)
        written = page.profile((1,), page.rulers[0], qr=True, title="x")
        assert written.size(width).columns == page.rulers[0]
        profile_toml(written)


@pytest.mark.parametrize(
    ("model", "name"),
    [("TM-T20II", "TM-T20II"), ("EPSON TM-T88V", "TM-T88V"), ("POS 5890", "POS-5890"), ("XP-Q200", None), ("", None)],
)
def test_a_model_suggests_a_profile(model: str, name: str | None) -> None:
    assert likely_profile(model, profile_names()) == name
