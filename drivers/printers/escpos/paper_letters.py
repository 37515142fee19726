"""What a printer makes of text: bytes to letters by the code page, by glyphs the sender has defined, or as UTF-8.

One `Letters` is the memory of one printer: the slot of ESC t, the glyphs of ESC &, the modes of FS ( C and FS &. A glyph
the sender has defined is a letter of its own in the text: U+E000 plus its code.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from PIL import Image

from drivers.printers.escpos.ink import Style, column_picture, letter, styled
from drivers.printers.escpos.slots import KATAKANA

USER_GLYPHS = 0xE000
_KATAKANA = (
    "▁▂▃▄▅▆▇█▏▎▍▌▋▊▉┼┴┬┤├¯─│▕┌┐└┘╭╮╰╯\xa0｡｢｣､･ｦｧｨｩｪｫｬｭｮｯｰｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿ"
    "ﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜﾝﾞﾟ═╞╪╡◢◣◥◤♠♥♦♣●○╱╲╳円年月日時分秒〒市区町村人▓\xa0"
)
_NO_LETTER = "bytes that are no letter in the encoding that was chosen"
_MISSING = "□"
_UTF_8 = b"\x02\x00\x30\x02", b"\x02\x00\x30\x32"
_ONE_BYTE = b"\x02\x00\x30\x01", b"\x02\x00\x30\x31"


class Letters:
    """`fault` hears what a printer cannot do; `chinese` is a printer that starts in its two-byte mode, as some clones do."""

    def __init__(self, slots: Mapping[int, str], fault: Callable[[str], None], chinese: bool) -> None:
        self._slots, self._fault, self._starts_chinese = slots, fault, chinese
        self.reset()

    def reset(self) -> None:
        """As after ESC @."""
        self._slot = 0
        self._own: dict[tuple[int, int], Image.Image] = {}  # by font and code
        self._own_on = False
        self._two_bytes(on=self._starts_chinese)

    def actions(self) -> dict[str, Callable[[bytes], None]]:
        """The commands that are about letters."""
        return {
            "ESC t": self._page,
            "ESC R": self._country,
            "ESC %": self._select_own,
            "ESC ?": self._cancel_own,
            "FS ( C": self._encoding,
            "FS &": lambda _: self._two_bytes(on=True),
            "FS .": lambda _: self._two_bytes(on=False),
        }

    def define(self, args: bytes, font: int) -> None:
        """ESC & y c1 c2: for each code its width, then so many columns of y bytes."""
        tall, first, last, at = args[0], args[1], args[2], 3
        for code in range(first, last + 1):
            wide = args[at]
            dots, at = args[at + 1 : at + 1 + wide * tall], at + 1 + wide * tall
            if tall != 3 or not 0x20 <= code <= 0x7E or wide > Style(font).column:
                self._fault(f"a glyph of {wide}x{tall * 8} dots for code {code:#04x}, which the font does not take")
            elif wide:
                self._own[font, code] = column_picture(tall, wide, dots)

    def read(self, text: bytes, style: Style) -> Iterator[tuple[str, Image.Image]]:
        """The letters of `text` in order, as they stand in the text and on the paper."""
        if self._decoder is not None:
            for char in self._decoder.decode(text):
                yield char, self._drawn(char, style)
            return
        table = letters_of(self._slots.get(self._slot))
        for code in text:
            if self._own_on and (glyph := self._own.get((style.font, code))) is not None:
                yield chr(USER_GLYPHS + code), styled(glyph, style)
                continue
            if table[code] == _MISSING:
                self._fault(f"no letter {code:#04x} in code page slot {self._slot}")
            yield table[code], letter(table[code], style)

    def end_of_run(self) -> None:
        """Another command has come: half a character cannot become a whole one any more."""
        if self._decoder is not None and self._decoder.getstate()[0]:
            self._fault(_NO_LETTER)
            self._decoder.reset()

    def _drawn(self, char: str, style: Style) -> Image.Image:
        if char == "\N{REPLACEMENT CHARACTER}":
            self._fault(_NO_LETTER)
        twice = unicodedata.east_asian_width(char) in "WF"
        return letter(char, replace(style, width=style.width * 2) if twice else style)

    def _page(self, args: bytes) -> None:
        self._slot = args[0]
        if self._slot not in self._slots:
            self._fault(f"unknown code page slot {self._slot}")

    def _country(self, args: bytes) -> None:
        if args[0]:
            self._fault(f"ESC R {args[0]} puts national letters in the place of some ASCII ones")

    def _select_own(self, args: bytes) -> None:
        self._own_on = bool(args[0] & 1)

    def _cancel_own(self, args: bytes) -> None:
        for key in [key for key in self._own if key[1] == args[0]]:
            del self._own[key]

    def _two_bytes(self, *, on: bool) -> None:
        """FS & and FS .: bytes from 81 hex on are halves of Chinese characters."""
        self._decoder: codecs.IncrementalDecoder | None = _decoder("gb18030") if on else None

    def _encoding(self, args: bytes) -> None:
        if args in _UTF_8:
            self._decoder = _decoder("utf-8")
        elif args in _ONE_BYTE:
            self._decoder = None
        elif args[2:3] != b"\x3c":  # function 60 ranks the fonts
            self._fault("not drawn: FS ( C with another encoding than UTF-8")


def _decoder(codec: str) -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder(codec)("replace")


@lru_cache(maxsize=64)
def letters_of(codec: str | None) -> tuple[str, ...]:
    """What each of the 256 codes prints; an unknown slot prints only ASCII right."""
    if codec == KATAKANA:
        return (*letters_of(None)[:128], *_KATAKANA)
    decoded = (bytes([code]).decode(codec or "ascii", "ignore") for code in range(256))
    return tuple(
        char if char.isprintable() or char == "\xa0" else _MISSING for char in (c or _MISSING for c in decoded)
    )
