"""Who this PC is: private, durable, whole or refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agent import identity
from agent.identity import Identity, IdentityDamaged
from loyalty.wire import ClaimReply, Named
from offline_queue import QueueFull

KEY = "cHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHA"


@pytest.fixture
def reply() -> ClaimReply:
    return ClaimReply(
        device="D1",
        device_number=7,
        store=Named("S1", "Store"),
        tills=(Named("1", "Till"),),
        epoch="e",
        programme_key=KEY,
        token_key=KEY,
        token_generation=1,
        ident_key=KEY,
        enrolment_url="https://example.org",
    )


@pytest.fixture
def made(reply: ClaimReply) -> Identity:
    return identity.from_claim(reply, identity.new_key(), "machine")


def test_an_identity_comes_back_as_it_was(tmp_path: Path, made: Identity) -> None:
    assert identity.load(tmp_path) is None
    identity.save(tmp_path, made)
    assert identity.load(tmp_path) == made
    assert made.programme_key == b"p" * 32


def test_keys_are_their_owners_alone(tmp_path: Path, made: Identity) -> None:
    identity.claim_key(tmp_path)
    assert (tmp_path / "claim.key").stat().st_mode & 0o777 == 0o600
    identity.save(tmp_path, made)
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {"identity.json": 0o600}


def test_the_key_of_a_claim_is_the_same_until_the_claim_is_answered(tmp_path: Path, made: Identity) -> None:
    first = identity.claim_key(tmp_path)
    assert identity.claim_key(tmp_path) == first
    identity.save(tmp_path, made)
    assert identity.claim_key(tmp_path) != first


@pytest.mark.parametrize("content", [b"", b"{}", b"[1,2]", b"\xff\xfe", b'{"device":"D1"'])
def test_a_damaged_identity_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "identity.json"
    file.write_bytes(content)
    with pytest.raises(IdentityDamaged) as refused:
        identity.load(tmp_path)
    assert refused.value.code == "identity_damaged"
    assert file.read_bytes() == content


def test_a_key_of_the_wrong_length_is_refused(tmp_path: Path, made: Identity) -> None:
    identity.save(tmp_path, msgspec.structs.replace(made, private_key=b"short"))
    with pytest.raises(IdentityDamaged):
        identity.load(tmp_path)


def test_a_damaged_claim_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "claim.key").write_text("???")
    with pytest.raises(IdentityDamaged):
        identity.claim_key(tmp_path)


@pytest.mark.parametrize("key", ["", "AAAA", "not base64!", KEY + "AAAA"])
def test_a_claim_with_a_bad_key_makes_no_identity(reply: ClaimReply, key: str) -> None:
    with pytest.raises(ValueError, match=r"key|base64|Base64|character|padd"):
        identity.from_claim(msgspec.structs.replace(reply, programme_key=key), identity.new_key(), "m")


def test_a_machine_has_a_name_that_lasts(tmp_path: Path) -> None:
    system, none = tmp_path / "machine-id", tmp_path / "missing"
    system.write_text("0123456789abcdef\n")
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()

    named = identity.machine_id(one, system)
    assert named == identity.machine_id(other, system)
    assert "0123456789abcdef" not in named
    own = identity.machine_id(one, none)
    assert own == identity.machine_id(one, none)
    assert len({named, own, identity.machine_id(other, none)}) == 3


def test_half_a_write_leaves_the_old_file(tmp_path: Path, made: Identity) -> None:
    identity.save(tmp_path, made)
    (tmp_path / "identity.json.new").write_bytes(b"half a fi")  # the power went here, last time
    identity.save(tmp_path, msgspec.structs.replace(made, epoch="f"))

    loaded = identity.load(tmp_path)
    assert loaded is not None
    assert loaded.epoch == "f"


def test_a_disk_that_does_not_take_it_is_said_and_the_old_file_stays(tmp_path: Path, made: Identity) -> None:
    identity.save(tmp_path, made)
    (tmp_path / "identity.json.new").mkdir()  # in the way, as a full disk would be
    with pytest.raises(QueueFull, match=r"identity\.json"):
        identity.save(tmp_path, msgspec.structs.replace(made, epoch="f"))
    assert identity.load(tmp_path) == made
