"""What keys mean, against the names of the kernel's own key numbers (nodes.py)."""

import pytest

from drivers.scanners._us_keys import Keys

from .nodes import ALT, CAPS, CODES, CTRL, ENTER, F8, KEYPAD, KEYPAD_ENTER, SHIFT, TAB, keys

ASCII = bytes(range(0x20, 0x7F))
MARKING = b"\x1d010460123456789321abc-XYZ!\"#$%&'()*+,\x1d93dGVz\x1d8005123456"


def typed(*pressed: tuple[int, int], by: Keys | None = None) -> bytes:
    keyboard = by or Keys()
    return b"".join(keyboard.press(*each) for each in pressed)


def stroke(*held: int) -> list[tuple[int, int]]:
    return [*((key, 1) for key in held), *((key, 0) for key in reversed(held))]


@pytest.mark.parametrize("data", [ASCII, MARKING, b"2900000000117\r", bytes(range(32))])
def test_what_a_scanner_types_is_read(data: bytes) -> None:
    assert typed(*keys(data)) == data


@pytest.mark.parametrize("held", [[(SHIFT, 1)], [(54, 1)]])
def test_both_shift_keys_count_and_only_while_they_are_held(held: list[tuple[int, int]]) -> None:
    keyboard = Keys()
    assert typed(*held, *stroke(CODES["a"]), *stroke(CODES["1"]), by=keyboard) == b"A!"
    assert typed((held[0][0], 0), *stroke(CODES["a"]), by=keyboard) == b"a"


def test_caps_lock_of_the_scanner_itself_turns_letters_and_nothing_else() -> None:
    keyboard = Keys()
    assert typed(*stroke(CAPS), *keys(b"aB1!;"), by=keyboard) == b"Ab1!;"
    assert typed(*stroke(CAPS), *keys(b"aB1!;"), by=keyboard) == b"aB1!;"


def test_gs_comes_as_ctrl_and_bracket_or_as_f8() -> None:
    assert typed(*stroke(CTRL, CODES["]"])) == typed(*stroke(97, CODES["]"])) == typed(*stroke(F8)) == b"\x1d"


@pytest.mark.parametrize(("key", "byte"), [(ENTER, b"\r"), (KEYPAD_ENTER, b"\r"), (TAB, b"\t"), (101, b"\n")])
def test_keys_that_end_a_code(key: int, byte: bytes) -> None:
    assert typed(*stroke(key)) == byte


def test_the_keypad_types_digits_whatever_num_lock_says() -> None:
    assert typed(*(each for key in KEYPAD for each in stroke(key))) == b"0123456789"
    assert typed(*stroke(69), *stroke(KEYPAD[7])) == b"7"


@pytest.mark.parametrize(("number", "byte"), [("065", b"A"), ("0029", b"\x1d"), ("0192", b"\xc0"), ("65", b"A")])
def test_alt_and_a_number_is_a_character(number: str, byte: bytes) -> None:
    digits = [each for digit in number for each in stroke(KEYPAD[int(digit)])]
    assert typed((ALT, 1), *digits, (ALT, 0), *stroke(KEYPAD[1])) == byte + b"1"


def test_a_held_key_is_typed_once_and_keys_without_a_sign_are_nothing() -> None:
    assert typed((CODES["a"], 1), (CODES["a"], 2), (CODES["a"], 2), (CODES["a"], 0)) == b"a"
    assert typed(*stroke(125), *stroke(200), *stroke(SHIFT), *stroke(ALT), *stroke(CTRL, CODES["1"])) == b""
