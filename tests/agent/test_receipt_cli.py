"""`tillmate receipt ...` as people and scripts call it: real files, real bytes, the virtual printer, a running agent."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zxingcpp
from click.testing import CliRunner, Result
from PIL import Image

from agent import config
from agent.api.admin_socket import call as call_agent
from agent.app import build
from agent.cli import main
from agent.clock import SystemClock
from drivers.printers.escpos.paper import draw
from receipt_templates.templates import names

if TYPE_CHECKING:
    from conftest import Threads, Until, VirtualPrinter

CONFIG = """
language = "en"
[state]
folder = "{folder}"
[server]
url = "http://127.0.0.1:9"
[api]
port = {api}
[receipt]
shop = "Ромашка"
templates = "{templates}"
logo = "{logo}"
[[till]]
id = "1"
printer = "receipt"
[[printer]]
name = "receipt"
driver = "tcp"
profile = "{profile}"
lacking = "{lacking}"
options = {{ host = "127.0.0.1", port = {printer} }}
"""

Call = Callable[..., Result]
MakeConfig = Callable[..., Path]


@pytest.fixture
def receipt() -> Call:
    """A verb of `tillmate receipt`, on a machine without a config of its own."""

    def call(*words: object, given: str = "") -> Result:
        env = {"COLUMNS": "160", "TILLMATE_CONFIG": ""}
        return CliRunner().invoke(main, ["receipt", *map(str, words)], input=given, env=env)

    return call


@pytest.fixture
def data(tmp_path: Path, receipt: Call) -> Path:
    """The reference receipt in a file."""
    file = tmp_path / "DATA.json"
    file.write_bytes(receipt("example", "sale").stdout_bytes)
    return file


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    def make(**keys: object) -> Path:
        with socket.create_server(("127.0.0.1", 0)) as free:
            api = free.getsockname()[1]
        usual = {"folder": tmp_path / "state", "templates": "", "logo": "", "profile": "default", "lacking": "picture"}
        file = tmp_path / "config.toml"
        file.write_text(CONFIG.format(**{**usual, "api": api, "printer": 9, **keys}), encoding="utf-8")
        return file

    return make


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str, str], Path]:
    """own("ru/sale.receipt", text): a retailer's template; gives the folder."""
    folder = tmp_path / "templates"

    def write(name: str, text: str) -> Path:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return folder

    return write


def test_every_template_is_listed_with_what_it_is_for(receipt: Call, own: Callable[[str, str], Path]) -> None:
    folder = own("ru/sale.receipt", "<> {{ shop }}\n")
    shown = receipt("list", "--language", "en", "--templates", folder).output
    rows = {line.split()[1]: line for line in shown.splitlines() if line.startswith("│")}
    assert list(rows) == list(names())
    assert "own: ru" in rows["sale"]
    assert "Coupon with a barcode" in rows["coupon"]
    assert "own" not in rows["coupon"]


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("name", names())
def test_the_example_of_each_template_can_be_rendered_back(receipt: Call, name: str, language: str) -> None:
    example = receipt("example", name, "--language", language)
    assert json.loads(example.output)["language"] == language
    ended = receipt("render", name, "--data", "-", "--width", "58", "--text", "-", given=example.output)
    assert (ended.exit_code, ended.stderr) == (0, "")
    cyrillic = any("а" <= char <= "я" for char in ended.output)
    assert cyrillic == (language == "ru")


@pytest.mark.parametrize(("width", "dots"), [("58", 384), ("80", 512)])
def test_bytes_text_and_picture_are_of_one_paper(
    receipt: Call, data: Path, tmp_path: Path, width: str, dots: int
) -> None:
    job, png = tmp_path / "job.bin", tmp_path / "slip.png"
    words = ("--data", data, "--profile", "default", "--width", width)
    ended = receipt("render", "sale", *words, "--out", job, "--png", png, "--text", "-")
    assert (ended.exit_code, ended.stderr) == (0, "")
    payload = json.loads(data.read_text("utf-8"))["qr"]
    assert f"[qr {payload}]" in ended.stdout.splitlines()
    assert ended.stdout == draw(job.read_bytes(), dots).text
    (code,) = zxingcpp.read_barcodes(Image.open(BytesIO(png.read_bytes())).convert("L"))
    assert code.text == payload
    shown = tmp_path / "slip.txt"
    receipt("render", "sale", *words, "--text", shown)
    assert shown.read_text("utf-8") == ended.stdout


@pytest.mark.parametrize("model", ["simple", "POS-5890", "TM-T88IV-SA", "TM-T20II"])
def test_the_text_is_for_people_also_where_the_paper_has_pictures_and_taught_letters(
    receipt: Call, data: Path, model: str
) -> None:
    words = ("--data", data, "--profile", model, "--width", "58" if model == "POS-5890" else "80")
    text = receipt("render", "sale", *words, "--text", "-").output
    assert "Кофейня «Зерно»" in text.replace('"', "«", 1).replace('"', "»", 1)
    assert text.splitlines()[-1] == f"[qr {json.loads(data.read_text('utf-8'))['qr']}]"
    assert all(line.startswith("[qr ") or line.isprintable() for line in text.splitlines())
    assert "[picture" not in text


def test_a_code_that_the_printer_cannot_draw_is_text(receipt: Call) -> None:
    shown = receipt("render", "selftest", "--language", "en", "--profile", "TM-U220", "--text", "-").output
    assert "[" not in shown.replace("[##########..........]", "")
    assert [shown.count(code) for code in ("TEST-0123", "HTTPS://BONUS.GRAIN.EXAMPLE")] == [1, 1]


def test_standard_output_takes_any_of_the_files_and_the_encoding_of_the_terminal_changes_nothing(
    receipt: Call, data: Path, tmp_path: Path
) -> None:
    job, png = tmp_path / "job.bin", tmp_path / "slip.png"
    receipt("render", "sale", "--data", data, "--out", job, "--png", png)
    assert receipt("render", "sale", "--data", data, "--out", "-").stdout_bytes == job.read_bytes()
    assert receipt("render", "sale", "--data", data, "--png", "-").stdout_bytes == png.read_bytes()
    for verb in ("example", "preview"):
        said = CliRunner(charset="cp1251").invoke(main, ["receipt", verb, "sale"])
        assert said.stdout_bytes.decode("utf-8") == receipt(verb, "sale").stdout


def test_data_that_powershell_has_written_are_read(receipt: Call, data: Path, tmp_path: Path) -> None:
    wide = tmp_path / "wide.json"
    wide.write_bytes(data.read_text("utf-8").encode("utf-16"))
    assert (
        receipt("render", "sale", "--data", wide, "--text", "-").output
        == receipt("render", "sale", "--data", data, "--text", "-").output
    )


def test_slip_lines_as_data(receipt: Call, data: Path, tmp_path: Path) -> None:
    lines = receipt("render", "sale", "--data", data, "--columns", "32", "--lines", "-").output.splitlines()
    assert all(len(line) <= 32 for line in lines if not line.startswith("[qr "))
    assert sum(line.startswith("[qr ") for line in lines) == 1
    task = tmp_path / "task.json"
    assert receipt("render", "sale", "--data", data, "--columns", "48", "--atol", task).exit_code == 0
    told = json.loads(task.read_text("utf-8"))
    assert told["type"] == "nonFiscal"
    kinds = [item["type"] for item in told["items"]]
    assert kinds.count("barcode") == 1
    assert kinds.count("text") > 15


def test_a_preview_shows_both_widths_side_by_side(receipt: Call, tmp_path: Path) -> None:
    png = tmp_path / "both.png"
    shown = receipt("preview", "balance", "--language", "en", "--png", png).output.splitlines()
    assert shown[0].split("   ")[0] == "default, 58 mm"
    assert shown[0].endswith("default, 80 mm")
    assert max(map(len, shown)) <= 32 + 3 + 42
    assert Image.open(BytesIO(png.read_bytes())).width > 384 + 512
    assert receipt("preview", "balance", "--profile", "POS-5890", "--language", "en").output.startswith(
        "POS-5890, 58 mm"
    )


WRONG = {
    "no such file": (("--data", "{tmp}/nothing.json"), "", "nothing.json: cannot be read: No such file"),
    "no json": (("--data", "-"), '{"shop": "A",\n "at" 5}', "stdin, line 2: this is not JSON"),
    "a number without end": (("--data", "-"), '{"pay": ' + "9" * 5000 + "}", "this is not JSON: too long a number"),
    "too deep": (("--data", "-"), "[" * 100_000, "this is not JSON: too long a number, or nested too deeply"),
    "no object": (("--data", "-"), "[1]", "stdin: must be a JSON object"),
    "not utf-8": (("--data", "{tmp}/latin.json"), "", "latin.json: not in UTF-8; save the file in that encoding."),
    "unknown key": (("--data", "-"), '{"pay": "1", "earnd": "5"}', "unknown key 'earnd'; did you mean 'earned'?"),
    "missing key": (("--data", "-"), '{"shop": "A"}', "'pay' is missing"),
    "wrong kind": (("--data", "-"), '{"pay": 5}', "'pay' must be"),
    "language": (("--data", "-"), '{"language": "fr"}', "There is no language 'fr'; there are ru, en."),
    "profile": (("--profile", "TM-T20I1"), "", "did you mean 'TM-T20II'?"),
    "width": (("--profile", "POS-5890", "--width", "80"), "", "does not print on 80 mm paper, only on: 58."),
    "out": (("--out", "{tmp}/no/folder/x.bin"), "", "x.bin: cannot be written: No such file"),
    "templates": (("--templates", "{tmp}/none"), "", "/none: No such file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(receipt: Call, tmp_path: Path, case: str) -> None:
    (tmp_path / "latin.json").write_bytes('{"pay": "caf\xe9"}'.encode("latin-1"))
    words, given, sentence = WRONG[case]
    filled = [word.format(tmp=tmp_path) for word in words]
    ended = receipt("render", "sale", "--language", "en", "--text", tmp_path / "x.txt", *filled, given=given)
    assert ended.exit_code == 2
    assert sentence in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_an_unknown_template_and_too_many_outputs(receipt: Call) -> None:
    assert "может быть, «sale»?" in receipt("example", "sael").stderr
    assert receipt("render", "sael", "--text", "-").exit_code == 2
    assert receipt("render", "sale").exit_code == 2
    assert receipt("render", "sale", "--text", "-", "--lines", "-").exit_code == 2


def test_a_retailers_template_goes_before_ours(receipt: Call, own: Callable[[str, str], Path], data: Path) -> None:
    folder = own("ru/sale.receipt", "<>* Свой чек\n{{ pay }}\n")
    shown = receipt("render", "sale", "--data", data, "--templates", folder, "--text", "-").output
    assert shown.split()[:2] == ["Свой", "чек"]
    assert receipt("preview", "balance", "--templates", folder).exit_code == 0


def test_lint_is_content_with_our_templates(receipt: Call) -> None:
    ended = receipt("lint", "--language", "en", "--profile", "default", "--profile", "POS-5890")
    assert ended.exit_code == 0
    assert "refused" not in ended.output.replace("Refused: 0", "")
    assert "ru/sale.receipt, default 58/80 mm: note: printed by a stand-in" in ended.output
    assert "note" not in receipt("lint", "sale", "--language", "en", "--no-notes").output


LINT = {
    "mistake": ("{{ shoop }}", "refused: ru/sale.receipt, line 1: unknown name 'shoop'; did you mean 'shop'?"),
    "markup": ("{{ shop }}\n{qqr 5}", "refused: ru/sale.receipt, line 2: unknown command"),
    "qr refused": ("{qr " + "x" * 340 + "}", "refused: ru/sale.receipt, line 1: qr: a QR code holds 1 to 331 bytes"),
    "qr small": ("{qr " + "x" * 300 + "}", "58 mm: warning: a QR of 300 bytes: 4 dots a module"),
    "word": ("сверх" * 9, "58/80 mm: warning: a word does not fit on a line"),
    "narrowed": ("^^ достопримечательность", "58 mm: warning: too long for wide letters"),
    "heading": ("<>^ " + "большая скидка " * 6, "58/80 mm: warning: a heading takes 3 lines"),
    "stand-in": ("Цена 1 × 2 ₽", "note: printed by a stand-in: × (x), ₽ (р.)"),
    "picture": ("漢字", "note: lines with them are printed as pictures, which is slow: 字, 漢"),
}


@pytest.mark.parametrize("case", LINT)
def test_lint_names_what_is_wrong(receipt: Call, own: Callable[[str, str], Path], case: str) -> None:
    template, sentence = LINT[case]
    ended = receipt("lint", "sale", "--language", "en", "--templates", own("ru/sale.receipt", f"{template}\n"))
    about = [line for line in ended.output.splitlines() if line.startswith("ru/sale.receipt")]
    assert any(sentence in line for line in about), ended.output
    assert ended.exit_code == int("refused" in sentence)


def test_lint_draws_glyphs_where_the_printer_takes_them_and_looks_at_ones_own_data(receipt: Call, data: Path) -> None:
    ended = receipt("lint", "sale", "--data", data, "--profile", "TM-T20II", "--language", "en")
    assert "letters that we draw" in ended.output
    assert receipt("lint", "--data", data).exit_code == 2
    given = '{"pay": "' + "9" * 60 + '"}'
    broken = receipt("lint", "sale", "--data", "-", "--language", "en", given=given)
    assert "a word does not fit" in broken.output


def test_lint_says_once_what_a_printer_cannot_print(receipt: Call) -> None:
    words = ("--profile", "TM-U220", "--language", "en", "--no-notes")
    said = receipt("lint", "sale", *words).output.splitlines()
    assert len([line for line in said if "refused: the printer has no letters for them: А, " in line]) == 1
    assert any("warning: the printer draws no such code, it is printed as text: “https" in line for line in said)
    assert "it is printed as text: “GRAIN-15-7F3A”" in receipt("lint", "coupon", *words).output


def test_lint_finds_files_that_nobody_uses(receipt: Call, own: Callable[[str, str], Path]) -> None:
    own("ru/sael.receipt", "x\n")
    folder = own("en/mine.part", "x\n")
    shown = receipt("lint", "shift", "--language", "en", "--templates", folder).output
    assert "ru/sael.receipt: warning: nothing uses this file" in shown
    assert "en/mine.part: warning: no template includes this part" in shown


def test_check_says_what_is_wrong_with_receipts(make_config: MakeConfig, own: Callable[[str, str], Path]) -> None:
    def check(file: Path) -> Result:
        return CliRunner().invoke(main, ["check", "--config", str(file)])

    ended = check(make_config(templates=own("en/sale.receipt", "* {{ shop }}\n^^ extraordinarily-long-word\n")))
    assert ended.exit_code == 0
    assert "en/sale.receipt, default 80 mm: warning: too long for wide letters" in ended.stderr
    ended = check(make_config(templates=own("en/sale.receipt", "{{ shoop }}\n")))
    assert ended.exit_code == 78
    assert "receipt.templates: en/sale.receipt: refused: en/sale.receipt, line 1: unknown name 'shoop'" in ended.stderr
    assert check(make_config(templates="/nowhere/at/all")).exit_code == 78
    assert check(make_config(logo="/nowhere/logo.png")).exit_code == 78
    ended = check(make_config(templates=own("en/sale.receipt", "Ж\n"), profile="simple", lacking="refuse"))
    assert ended.exit_code == 78
    assert "refused: the printer has no letters for them: Ж; take another profile" in ended.stderr


def test_without_an_agent_it_prints_on_the_printer_itself(
    receipt: Call, make_config: MakeConfig, virtual_printer: VirtualPrinter, data: Path
) -> None:
    file = make_config(printer=virtual_printer.port)
    ended = receipt("print", "sale", "--data", data, "--config", file)
    assert (ended.exit_code, ended.output) == (0, "Printer receipt: printed.\n")
    (paper,) = virtual_printer.papers
    assert "Капучино" in paper


def test_what_keeps_a_printer_from_printing_is_said(
    receipt: Call, make_config: MakeConfig, virtual_printer: VirtualPrinter
) -> None:
    file = make_config(printer=virtual_printer.port)
    virtual_printer.do("paper_out")
    ended = receipt("print", "balance", "--config", file)
    assert (ended.exit_code, ended.output) == (1, "Printer receipt: was not printed (paper out).\n")
    virtual_printer.do("paper_in")
    virtual_printer.do("mute")
    ended = receipt("print", "balance", "--config", file)
    assert (ended.exit_code, "does not answer" in ended.output) == (0, True)
    assert (
        "No [[printer]] is called 'x'; there are: receipt."
        in receipt("print", "sale", "--printer", "x", "--config", file).stderr
    )
    assert receipt("print", "sale", "--config", make_config(printer=9)).exit_code == 2
    assert receipt("print", "sale").exit_code == 78


def test_through_the_agent_it_is_a_job_of_the_queue(
    receipt: Call,
    make_config: MakeConfig,
    own: Callable[[str, str], Path],
    threads: Threads,
    until: Until,
    virtual_printer: VirtualPrinter,
) -> None:
    file = make_config(printer=virtual_printer.port, templates=own("en/sale.receipt", "Our own slip\n{{ pay }}\n"))
    agent = build(config.load(file), SystemClock())
    stop = threads.start(lambda stop: agent.run(stop) and None)
    until((file.parent / "state" / "admin.sock").exists)
    ended = receipt("print", "sale", "--config", file)
    assert (ended.exit_code, ended.output) == (0, "Printer receipt, job 1: printed.\n")
    assert "Our own slip" in virtual_printer.papers[0]
    refused = CliRunner().invoke(main, ["printer", "setup", "--choose", "1", "--yes", "--config", str(file)])
    assert (refused.exit_code, "The agent runs and holds the printer" in refused.stderr) == (2, True)
    virtual_printer.do("cover_open")
    until(lambda: virtual_printer.do("state")["cover"] == "open")
    ended = receipt("print", "sale", "--config", file)
    assert (ended.exit_code, ended.output) == (0, "Printer receipt, job 2: waits for the printer (cover open).\n")
    threads.end(stop)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"templates": "/nowhere/at/all"}, "The shop's receipt templates cannot be read"),
        ({"logo": "/nowhere/logo.png"}, "The logo cannot be read"),
    ],
)
def test_the_agent_works_without_templates_and_logo_that_it_cannot_read_and_says_so(
    make_config: MakeConfig, threads: Threads, until: Until, keys: dict[str, str], sentence: str
) -> None:
    file = make_config(**keys)
    agent = build(config.load(file), SystemClock())
    stop = threads.start(lambda stop: agent.run(stop) and None)
    socket_of_agent = file.parent / "state" / "admin.sock"
    until(socket_of_agent.exists)
    parts = call_agent(socket_of_agent, {"do": "status"})["status"]["parts"]
    threads.end(stop)
    assert any(part["part"] == "receipt" and sentence in part["text"]["en"] for part in parts)


def test_the_logo_is_printed_and_letters_are_refused_where_the_config_says_so(
    receipt: Call, make_config: MakeConfig, virtual_printer: VirtualPrinter, tmp_path: Path
) -> None:
    logo = tmp_path / "logo.png"
    Image.new("L", (120, 40), 0).save(logo)
    file = make_config(printer=virtual_printer.port, logo=logo)
    assert receipt("print", "balance", "--config", file).exit_code == 0
    assert virtual_printer.papers[0].startswith("[picture 120x40]")
    file = make_config(printer=virtual_printer.port, profile="simple", lacking="refuse")
    ended = receipt("print", "balance", "--language", "ru", "--config", file)
    assert ended.exit_code == 2
    assert ended.stderr.startswith("У принтера «A printer of the plainest kind» нет букв: ")


def test_the_agent_refuses_letters_that_the_printer_lacks_where_the_config_says_so(
    receipt: Call, make_config: MakeConfig, threads: Threads, until: Until, virtual_printer: VirtualPrinter
) -> None:
    file = make_config(printer=virtual_printer.port, profile="simple", lacking="refuse")
    agent = build(config.load(file), SystemClock())
    stop = threads.start(lambda stop: agent.run(stop) and None)
    socket_of_agent = file.parent / "state" / "admin.sock"
    until(socket_of_agent.exists)
    ended = receipt("print", "balance", "--language", "ru", "--config", file)
    assert (ended.exit_code, "не напечатан" in ended.output) == (1, True)
    parts = call_agent(socket_of_agent, {"do": "status"})["status"]["parts"]
    threads.end(stop)
    assert any("The printer has no letters for" in part["text"]["en"] for part in parts)
    assert virtual_printer.papers == []
