"""The product against the slow model, which was written from the design by another hand: no difference, ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .answers import answer, numbers
from .model import model_quote
from .worlds import case, programme, seeded

PARTS = 4


@pytest.mark.no_cover  # traced, it takes twice as long and reaches no line that others do not
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_random_worlds(part: int, size: Callable[[int, int], int]) -> None:
    answered = 0
    for seed in range(part, size(2_000, 40_000), PARTS):
        random = seeded(seed)
        document = programme(random)
        question = case(random, document)
        expected = numbers(model_quote(document, question))
        assert numbers(answer(document, question)) == expected, f"seed {seed}"
        answered += "error" not in expected
    assert answered > 300  # most are no refusals, or nothing was compared
