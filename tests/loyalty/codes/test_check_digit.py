import pytest

from loyalty.codes.check_digit import check_digit, has_check_digit


@pytest.mark.parametrize(
    "code",
    [
        "4006381333931",
        "5901234123457",
        "96385074",
        "73513537",
        "036000291452",
        "614141000036",
        "10614141000415",
        "0012345678905",
    ],
)
def test_published_codes_hold(code: str) -> None:
    assert check_digit(code[:-1]) == int(code[-1])


@pytest.mark.parametrize("place", range(13))
def test_one_wrong_digit_is_seen(place: int) -> None:
    code = "4006381333931"
    wrong = code[:place] + str((int(code[place]) + 1) % 10) + code[place + 1 :]
    assert has_check_digit(code)
    assert not has_check_digit(wrong)


def test_one_digit_alone_has_none() -> None:
    assert not has_check_digit("0")
