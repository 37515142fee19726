"""A virtual printer refuses to be what no printer is."""

import pytest

from drivers.virtual.options import Options


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"answers": "some"}, "answers: 'some' is none of all, no_ids, status_only, none"),
        ({"flow": "smoke"}, "flow: 'smoke' is none of hold, none, xonxoff, dtr"),
        ({"family": "TM-T88W"}, "no slots known of 'TM-T88W'; did you mean 'tm-t88v'?"),
        ({"dots": 7}, "dots: 7 is less than 8"),
        ({"buffer": 0}, "buffer: 0 is less than 1"),
        ({"baud": -1}, "baud: -1 is less than 0"),
        ({"speed": -1}, "speed: -1 is less than 0"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: dict[str, object], why: str) -> None:
    with pytest.raises((ValueError, LookupError)) as refused:
        Options(**options)  # type: ignore[arg-type]
    assert str(refused.value.args[0]) == why


def test_what_printers_are_is_not() -> None:
    chosen = {"dots": 384, "family": "POS-5890", "buffer": 45, "flow": "dtr", "baud": 9600, "speed": 90}
    options = Options(**chosen)  # type: ignore[arg-type]
    assert {name: getattr(options, name) for name in chosen} == chosen
