"""What was scanned: a frame of bytes -> a reading, decided by AIM id, shape, site rules and check digits.

Pure and total: whatever a scanner sends gives an answer and never an exception. Nobody becomes a member by a guess: only
a site rule of config.toml, GS1's own number for members (AI 8018) or a fresh code of the wallet makes one.
"""

from loyalty.codes.classify import classify
from loyalty.codes.ident import ident
from loyalty.codes.kinds import (
    CLASSES,
    Cashier,
    Certificate,
    Channel,
    Code,
    Coupon,
    FiscalReceipt,
    Gs1DigitalLink,
    Gs1Message,
    InstoreNumber,
    Invalid,
    Marking,
    MemberCard,
    MemberRotating,
    Phone,
    Product,
    ProductFormat,
    ProductPrice,
    ProductWeight,
    Reading,
    RefundReceipt,
    RejectedRotating,
    Sscc,
    Text,
    Unknown,
    Url,
)
from loyalty.codes.measure import MeasureRule
from loyalty.codes.rules import CodeRules, Rule

__all__ = [
    "CLASSES",
    "Cashier",
    "Certificate",
    "Channel",
    "Code",
    "CodeRules",
    "Coupon",
    "FiscalReceipt",
    "Gs1DigitalLink",
    "Gs1Message",
    "InstoreNumber",
    "Invalid",
    "Marking",
    "MeasureRule",
    "MemberCard",
    "MemberRotating",
    "Phone",
    "Product",
    "ProductFormat",
    "ProductPrice",
    "ProductWeight",
    "Reading",
    "RefundReceipt",
    "RejectedRotating",
    "Rule",
    "Sscc",
    "Text",
    "Unknown",
    "Url",
    "classify",
    "ident",
]
