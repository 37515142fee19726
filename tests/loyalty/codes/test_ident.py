from loyalty.codes import ident

# RFC 4231, test case 2
RFC_KEY, RFC_TEXT = b"Jefe", "what do ya want for nothing?"
RFC_DIGEST = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_it_is_hmac_sha_256_in_hex() -> None:
    assert ident(RFC_KEY, RFC_TEXT) == RFC_DIGEST


def test_each_store_and_each_card_has_its_own() -> None:
    assert len({ident(key, card) for key in (b"a" * 32, b"b" * 32) for card in ("2900000000018", "2900000000025")}) == 4
