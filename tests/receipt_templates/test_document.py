"""Documents are stored with their print jobs and must come back the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receipt_templates.document import (
    QR_LIMIT,
    Barcode,
    Columns,
    Document,
    DocumentError,
    Feed,
    Logo,
    Progress,
    Qr,
    Rule,
    Stamps,
    Text,
    from_json,
    marked_as_copy,
    to_json,
)

fonts = st.sampled_from(["A", "B"])
sizes = st.sampled_from([1, 2])
elements = st.one_of(
    st.builds(Text, st.text(), st.booleans(), sizes, sizes, st.sampled_from(["left", "center", "right"]), fonts),
    st.builds(Columns, st.text(), st.text(), st.booleans(), fonts, sizes),
    st.builds(Rule, st.sampled_from("-=*─")),
    st.builds(Progress, st.integers(0, 10000)),
    st.builds(Qr, st.text("ABC:/09", min_size=1), st.text()),
    st.builds(Barcode, st.from_regex("[ -~]{1,14}", fullmatch=True), st.just("code128"), st.text()),
    st.builds(Logo),
    st.builds(Stamps, st.integers(0, 6), st.integers(6, 40)),
    st.builds(Feed, st.integers(1, 20)),
)
documents = st.builds(Document, st.lists(elements).map(tuple), st.sampled_from(["ru", "en"]))


@given(documents)
def test_a_document_comes_back_from_json(document: Document) -> None:
    stored = to_json(document)
    assert from_json(stored) == document
    assert to_json(from_json(stored)) == stored


def test_the_stored_form_stays_readable() -> None:
    """Jobs outlive updates: this is what a version 0.1 wrote."""
    stored = (
        '{"elements":[{"type":"text","text":"Зерно","bold":true,"height":2,"align":"center"},'
        '{"type":"columns","left":"Итого","right":"5,00 ₽"},{"type":"rule"},{"type":"progress","share_bp":4000},'
        '{"type":"qr","payload":"HTTPS://A/E/B","caption":"a"},{"type":"feed","lines":2}],"language":"ru"}'
    ).encode()
    document = Document(
        (
            Text("Зерно", bold=True, height=2, align="center"),
            Columns("Итого", "5,00 ₽"),
            Rule(),
            Progress(4000),
            Qr("HTTPS://A/E/B", "a"),
            Feed(2),
        ),
        "ru",
    )
    assert from_json(stored) == document
    assert to_json(document) == stored


def test_control_bytes_do_not_survive_any_way_in() -> None:
    assert Text("a\x1b@b").text == "a@b"
    assert Columns("a\x00", "\x10\x04b") == Columns("a", "b")
    assert (Qr("A\x1dB", "c\x07").payload, Qr("A", "c\x07").caption) == ("AB", "c")
    stored = b'{"elements":[{"type":"text","text":"a\\u001b@b"}],"language":"en"}'
    assert from_json(stored).elements == (Text("a@b"),)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        b'{"elements":[],"language":"de"}',
        b'{"elements":[{"type":"drawer"}],"language":"ru"}',
        b'{"elements":[{"type":"progress","share_bp":10001}],"language":"ru"}',
        b'{"elements":[{"type":"qr","payload":""}],"language":"ru"}',
        b'{"elements":[{"type":"text","text":"a","width":3}],"language":"ru"}',
        b'{"elements":[{"type":"rule","char":"--"}],"language":"ru"}',
        b'{"elements":[{"type":"stamps","filled":7,"of":6}],"language":"ru"}',
        b'{"elements":[{"type":"barcode","kind":"ean13","payload":"1"}],"language":"ru"}',
    ],
)
def test_what_is_no_document_is_refused(stored: bytes) -> None:
    with pytest.raises(DocumentError):
        from_json(stored)


def test_a_qr_code_that_fits_no_paper_is_refused() -> None:
    assert Qr("A" * QR_LIMIT).payload == "A" * QR_LIMIT
    with pytest.raises(ValueError, match="332"):
        Qr("A" * (QR_LIMIT + 1))


def test_a_copy_says_so_at_its_head_and_once() -> None:
    slip = Document((Logo(), Text("Зерно")), "ru")
    copy = marked_as_copy(slip)
    assert copy.elements == (Text("ПОВТОР", bold=True, width=2, height=2, align="center"), *slip.elements)
    assert marked_as_copy(copy) == copy
    assert "COPY" in marked_as_copy(Document((), "en")).texts()


def test_the_letters_under_a_barcode_are_among_the_texts() -> None:
    slip = Document((Barcode("A-1", "code39"), Barcode("A-2", "code39", "второй")), "ru")
    assert list(slip.texts()) == ["A-1", "второй"]
