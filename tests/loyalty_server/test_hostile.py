"""What nobody of good will sends: refused with its problem, and nothing is booked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loyalty.wire import Origin

if TYPE_CHECKING:
    from conftest import Till


@pytest.mark.parametrize("seq", [-1, 1 << 63, 1 << 200])
def test_a_row_from_nowhere_stops_no_other(till: Till, seq: int) -> None:
    rows = [till.row(till.sale()), till.row(till.sale(), origin=Origin("E0", seq)), till.row(till.sale())]
    assert till.verdicts(*rows) == ["accepted", "row_malformed", "accepted"]
