"""What till and server say to each other about joining at the till."""

from __future__ import annotations

import msgspec
import pytest

from loyalty.wire_enrolment import EnrolmentRequest


def test_a_newer_tills_field_is_passed_over_and_nothing_is_ticked_by_itself() -> None:
    said = b'{"token": "t", "phone": "8 916", "consents": [], "of_tomorrow": 1}'
    assert msgspec.json.decode(said, type=EnrolmentRequest) == EnrolmentRequest(token="t", phone="8 916", consents=())
    with pytest.raises(msgspec.ValidationError, match="consents"):
        msgspec.json.decode(b'{"token": "t", "phone": "8 916"}', type=EnrolmentRequest)


def test_a_consent_that_nobody_knows_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"token": "t", "phone": "8", "consents": ["everything"]}', type=EnrolmentRequest)
