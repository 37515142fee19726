"""The decision itself: AIM id first, then shape, then the ordered rules of the site, then check digits.

A frame goes through the readers below in their order; the first that has an answer ends the way, and each leaves a word
for store IT. What an AIM id or an application identifier vouches for and what is broken is `invalid`, but only after
the rules of the site have been asked, so that no wrong class stands before a member card.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from loyalty.codes import aim, article, decode, digital_link, fiscal, gs1, gs_disguise, layout_ru, marking, pan, phone
from loyalty.codes.gs1_kinds import of_link, of_message
from loyalty.codes.kinds import Channel, Code, Invalid, Reading, RejectedRotating, Text, Unknown, Url
from loyalty.codes.rules import CodeRules

_STRONG = ("00", "01", "02", "253", "255", "8017", "8018")
"""Identifiers with a check digit: at the head of a bare frame they vouch for element strings of GS1."""

_TELEPHONE = "tel:"


@dataclass(slots=True)
class _Frame:
    """One frame on its way through the readers."""

    code: str
    encoding: str
    aim: str
    rules: CodeRules
    now: int
    why: list[str] = field(default_factory=list)
    broken: Invalid | None = None  # what was vouched for and does not hold

    def say(self, word: str) -> None:
        self.why.append(word)

    def keep(self, found: Code | None) -> Code | None:
        """Keep what is broken for later, pass on anything else."""
        if isinstance(found, Invalid):
            self.broken = self.broken or found
            return None
        return found

    @property
    def digits(self) -> bool:
        return self.code.isascii() and self.code.isdigit()


_Reader = Callable[[_Frame], Code | None]


def classify(data: bytes, rules: CodeRules, channel: Channel = "serial", now: int = 0) -> Reading:
    """Say what this frame is. Never raises, whatever the bytes; `now` in unix seconds."""
    aim_id = data[:3] if data[:1] == b"]" else b""
    decoded = decode.decode(aim_id + gs_disguise.from_bytes(data[len(aim_id) :]), rules.fallback_encoding)
    if decoded is None:
        return Reading(Unknown("not_text"), None, (f"neither UTF-8 nor {rules.fallback_encoding}",))
    text = decoded[0].removeprefix("\ufeff").rstrip("\r\n")
    recovered = layout_ru.turn_back(text) if channel == "wedge_text" else None
    frame = _Frame(text, decoded[1], "", rules, now)
    if recovered is not None:
        frame.say("typed under the Russian layout, turned back")
        frame.code = recovered
    _split(frame)
    readers = _TYPED if channel == "keypad" else _READ
    found = next(code for code in (reader(frame) for reader in readers) if code is not None)
    return Reading(found, frame.aim or None, tuple(frame.why), None if recovered is None else pan.mask(recovered))


def _split(frame: _Frame) -> None:
    frame.aim, frame.code = aim.split_aim(frame.code)
    if frame.aim:
        frame.say(f"AIM id {frame.aim}: {aim.symbology(frame.aim) or 'another symbology'}")


# --- the readers, in their order ------------------------------------------------------------------------------------


def _empty(frame: _Frame) -> Code | None:
    if not frame.code:
        frame.say("nothing in it")
        return Unknown("empty")
    if frame.code.startswith("]") and not frame.aim:
        frame.say("begins with ] and has no AIM id")
        return Unknown("broken_aim_id")
    return None


def _by_aim(frame: _Frame) -> Code | None:
    """What only one kind of symbol may hold."""
    if frame.aim in aim.GS1:
        return _elements(frame, gs1.parse(gs_disguise.from_text(frame.code)))
    if frame.aim in (aim.EAN_13, aim.EAN_8, aim.EAN_ADD_ON):
        frame.code = _without_companion(frame.code, frame.aim)
        frame.keep(_article(frame))
    return None


def _without_companion(code: str, aim_id: str) -> str:
    """An EAN without its add-on of 2 or 5 digits, and without its composite part, which is a message of its own."""
    code = code.partition("]e0")[0].removesuffix("|")
    if aim_id != aim.EAN_ADD_ON:
        return code
    return code[: -5 if len(code) in (17, 18) else -2]


def _article(frame: _Frame) -> Code:
    if not frame.digits:
        return Invalid("not_digits")
    return article.ean_8(frame.code) if frame.aim == aim.EAN_8 else article.ean(frame.code)


def _fiscal(frame: _Frame) -> Code | None:
    found = fiscal.read(frame.code)
    if found is not None:
        frame.say("parameters of a fiscal receipt" + (", not all of them" if isinstance(found, Unknown) else ""))
    return found


def _marking(frame: _Frame) -> Code | None:
    found = marking.tobacco_pack(frame.code)
    if found is not None:
        frame.say("29 characters: pack of tobacco")
    return found


def _separated(frame: _Frame) -> Code | None:
    """Element strings that separators, brackets or an identifier with a check digit vouch for."""
    code = gs_disguise.from_text(frame.code)
    if gs1.GS in code and code.lstrip(gs1.GS)[:2].isdigit():
        message = gs1.parse(code)
        if message.elements or (message.fault and message.fault.ai in _STRONG):
            frame.say("separated by GS" if code == frame.code else "separated by a text for GS")
            return _elements(frame, message)
    bracketed = gs1.parse_brackets(code)
    if bracketed is not None and (len(bracketed.elements[0][0]) == 2 or bracketed.elements[0][0] in _STRONG):
        frame.say("identifiers in brackets")
        return _elements(frame, bracketed)
    return None if frame.digits else _bare(frame)


def _bare(frame: _Frame) -> Code | None:
    if not frame.code.startswith(_STRONG):
        return None
    message = gs1.parse(frame.code)
    if marking.without_gs(frame.code) is None and not message.whole:
        return None
    return _elements(frame, message)


def _elements(frame: _Frame, message: gs1.Message) -> Code | None:
    if gs1.GS not in frame.code:
        lost = marking.without_gs(frame.code)
        if lost is not None:
            frame.say("marking code, its separators lost" if lost.gs_lost else "marking code, separated by other signs")
            return lost
    found = of_message(message, frame.now)
    frame.say(f"element strings of GS1: {', '.join(ai for ai, _ in message.elements) or 'none'}")
    if isinstance(found, Invalid):
        frame.say(f"AI {found.ai}: {found.reason}")
    return frame.keep(found)


def _link(frame: _Frame) -> Code | None:
    address = digital_link.web_address(frame.code)
    message = None if address is None else digital_link.read(address)
    if message is None:
        return None
    frame.say(f"Digital Link of GS1: {', '.join(ai for ai, _ in message.elements)}")
    return frame.keep(of_link(message, frame.now))


def _rotating(frame: _Frame) -> Code | None:
    wallet = frame.rules.book.wallet
    found = None if wallet is None else wallet.read(frame.code, frame.now)
    if found is not None:
        frame.say(f"wallet_template matches: {found.name}")
    return RejectedRotating(pan.mask(found.id), found.reason) if isinstance(found, RejectedRotating) else found


def _telephone(frame: _Frame) -> Code | None:
    if frame.code[: len(_TELEPHONE)].lower() != _TELEPHONE:
        return None
    frame.say("tel: address")
    return phone.from_uri(frame.code[len(_TELEPHONE) :], frame.rules.region) or Unknown("not_a_phone")


def _site(frame: _Frame) -> Code | None:
    card = pan.mask(frame.code) != frame.code
    if card:
        frame.say("looks like the number of a payment card: only rules that name its first digits are asked")
    found = frame.rules.book.ask(frame.code, payment_card=card)
    if found is None:
        frame.say("no rule of the site matches")
        return None
    frame.say(f"rule {found.place} matches")
    if isinstance(found.code, Invalid):
        frame.say(f"but: {found.code.reason}")
    return frame.keep(found.code)


def _broken(frame: _Frame) -> Code | None:
    return frame.broken


def _number(frame: _Frame) -> Code | None:
    if frame.aim in (aim.EAN_13, aim.EAN_8, aim.EAN_ADD_ON):
        found = _article(frame)
    elif frame.digits and len(frame.code) in article.VOUCHED_LENGTHS:
        found = article.by_length(frame.code)
    else:
        return None
    right = "wrong" if isinstance(found, Invalid) else "right"
    frame.say(f"{len(frame.code)} digits, check digit {right}: {found.name}")
    return found


def _other_number(frame: _Frame) -> Code | None:
    """Digits that are no article: a payment card, bare element strings, or nothing that is known."""
    if not frame.digits:
        return None
    masked = pan.mask(frame.code)
    if masked != frame.code:
        return Unknown("payment_card", masked)
    found = _bare(frame) or frame.broken
    if found is None:
        frame.say(f"{len(frame.code)} digits, and nothing says of what")
    return found or Unknown("number")


def _address(frame: _Frame) -> Code | None:
    address = digital_link.web_address(frame.code)
    if address is None:
        return None
    frame.say("web address")
    return Url(address.host)


def _text(frame: _Frame) -> Code:
    if not decode.is_readable(frame.code):
        frame.say("control characters")
        return Unknown("not_text")
    frame.say("readable characters")
    return Text(pan.mask(frame.code), frame.encoding, aim.symbology(frame.aim))


def _typed(frame: _Frame) -> Code:
    found = phone.read(frame.code, frame.rules.region)
    frame.say("telephone number" if found else "no telephone number")
    return found or Unknown("not_a_phone")


_READ: tuple[_Reader, ...] = (
    _empty, _by_aim, _fiscal, _marking, _rotating, _separated, _link, _telephone, _site, _broken, _number,
    _other_number, _address, _text,
)  # fmt: skip
_TYPED: tuple[_Reader, ...] = (_empty, _rotating, _site, _broken, _typed)
