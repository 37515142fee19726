"""Numbers of articles and pallets by their length: EAN-8, EAN-13, UPC-A, UPC-E, ITF-14, SSCC; and what their prefixes mean."""

from __future__ import annotations

from loyalty.codes.check_digit import check_digit, has_check_digit
from loyalty.codes.kinds import Code, Coupon, InstoreNumber, Invalid, Product, ProductFormat, RefundReceipt, Sscc

_FORMATS: dict[int, ProductFormat] = {8: "EAN-8", 12: "UPC-A", 13: "EAN-13", 14: "ITF-14"}
_RESTRICTED = ("02", "04", "2")
_SSCC = 18
_NUMBER_SYSTEMS = "01"  # of UPC-E

VOUCHED_LENGTHS = frozenset({*_FORMATS, _SSCC})
"""Numbers of these lengths are one of the kinds below, or broken."""


def by_length(digits: str) -> Code:
    """The class of a number of a vouched length."""
    if not has_check_digit(digits):
        return (upc_e(digits) if len(digits) == 8 else None) or Invalid("check_digit")
    if len(digits) == _SSCC:
        return Sscc(digits)
    if len(digits) == 13:
        return _ean_13(digits)
    return Product(digits.zfill(14), _FORMATS[len(digits)], _restricted(digits))


def ean(digits: str) -> Code:
    """The class of what an AIM id calls an EAN-13, UPC-A or UPC-E; some scanners send the last one short."""
    if len(digits) in (12, 13):
        return by_length(digits)
    if 6 <= len(digits) <= 8:
        return upc_e(digits) or (by_length(digits) if len(digits) == 8 else Invalid("check_digit"))
    return Invalid("length")


def ean_8(digits: str) -> Code:
    """The class of what an AIM id calls an EAN-8."""
    if len(digits) != 8:
        return Invalid("length")
    return (
        Product(digits.zfill(14), "EAN-8", _restricted(digits)) if has_check_digit(digits) else Invalid("check_digit")
    )


def upc_e(digits: str) -> Product | None:
    """A UPC-E of 6, 7 (with number system) or 8 digits (with check digit too), or None."""
    body = digits if len(digits) > 6 else f"0{digits}"
    if body[0] not in _NUMBER_SYSTEMS:
        return None
    upc_a = _expanded(body[:7])
    whole = f"{upc_a}{check_digit(upc_a)}"
    if len(body) == 8 and body[7] != whole[11]:
        return None
    return Product(whole.zfill(14), "UPC-E")


def _expanded(body: str) -> str:
    """The eleven digits of the UPC-A that a number system and six digits stand for."""
    system, six = body[0], body[1:]
    last = six[5]
    if last in "012":
        return f"{system}{six[:2]}{last}0000{six[2:5]}"
    if last == "3":
        return f"{system}{six[:3]}00000{six[3:5]}"
    if last == "4":
        return f"{system}{six[:4]}00000{six[4]}"
    return f"{system}{six[:5]}0000{last}"


def _ean_13(digits: str) -> Code:
    if digits.startswith("2"):
        return InstoreNumber(digits)
    if digits.startswith("980"):
        return RefundReceipt(digits)
    if digits.startswith(("981", "982", "983", "984")):
        return Coupon(ean=digits, kind="common_currency_coupon")
    if digits.startswith("99"):
        return Coupon(ean=digits, kind="gs1_coupon_prefix")
    return Product(digits.zfill(14), "EAN-13", _restricted(digits))


def _restricted(digits: str) -> bool:
    if len(digits) == 8:
        return digits[0] in "02"
    return len(digits) < 14 and digits.zfill(13).startswith(_RESTRICTED)
