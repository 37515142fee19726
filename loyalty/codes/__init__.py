"""What was scanned: a frame of bytes -> a value, decided by AIM id, then site rules, then shape and check digit.

Pure and total: whatever a scanner sends gives an answer and never an exception. Nobody becomes a member by a guess: only
a site rule of config.toml makes a code a member card.
"""

from loyalty.codes.classify import Code, MemberCard, Product, ProductFormat, Unknown, classify
from loyalty.codes.ident import ident
from loyalty.codes.rules import CodeRules, Rule

__all__ = ["Code", "CodeRules", "MemberCard", "Product", "ProductFormat", "Rule", "Unknown", "classify", "ident"]
