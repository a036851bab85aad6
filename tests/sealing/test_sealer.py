"""A sealer makes of each value one box, which opens for the same customer and field alone."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.sealing import Sealer, UnsealError, new_key

KEY = bytes(range(64))
texts = st.text(st.characters(exclude_categories=["Cs"]))
names = st.text("abc-é/", min_size=1, max_size=4)


def decoded(box: str) -> bytes:
    return urlsafe_b64decode(box + "=" * (-len(box) % 4))


def boxed(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


@given(texts)
def test_what_was_sealed_opens_again(text: str) -> None:
    assert Sealer("c-1", KEY).open("email", Sealer("c-1", KEY).seal("email", text)) == text


@given(texts, texts)
def test_boxes_are_equal_where_the_texts_are_and_nowhere_else(one: str, other: str) -> None:
    sealer = Sealer("c-1", KEY)
    assert (sealer.seal("name", one) == Sealer("c-1", KEY).seal("name", other)) == (one == other)


@given(names, names, names, names, texts)
def test_a_box_opens_for_its_customer_and_field_alone(c1: str, f1: str, c2: str, f2: str, text: str) -> None:
    assume((c1, f1) != (c2, f2))
    with pytest.raises(UnsealError):
        Sealer(c2, KEY).open(f2, Sealer(c1, KEY).seal(f1, text))


@given(texts)
def test_a_box_opens_with_its_key_alone(text: str) -> None:
    with pytest.raises(UnsealError):
        Sealer("c-1", new_key()).open("email", Sealer("c-1", KEY).seal("email", text))


@given(texts, st.data())
def test_a_box_with_one_bit_changed_does_not_open(text: str, data: st.DataObject) -> None:
    sealed = bytearray(decoded(Sealer("c-1", KEY).seal("email", text)))
    place = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[place // 8] ^= 1 << place % 8
    with pytest.raises(UnsealError):
        Sealer("c-1", KEY).open("email", boxed(bytes(sealed)))


@given(texts, st.data())
def test_a_box_has_one_spelling(text: str, data: st.DataObject) -> None:
    box = Sealer("c-1", KEY).seal("email", text)
    assert re.fullmatch("[A-Za-z0-9_-]+", box)
    other = data.draw(
        st.sampled_from([f"{box}=", f"{box}==", f" {box}", f"{box}\n", f"{box[:3]} {box[3:]}", f"{box}A", box[:-1]])
    )
    with pytest.raises(UnsealError):
        Sealer("c-1", KEY).open("email", other)


@given(st.text())
def test_what_is_no_box_is_told_without_being_shown(box: str) -> None:
    with pytest.raises(UnsealError) as told:
        Sealer("c-1", KEY).open("email", box)
    assert str(told.value) in {
        "email: not a box",
        "email: sealed under another key, customer or field, or changed",
    }
    assert told.value.__cause__ is None


def test_boxes_stay_readable_by_later_versions() -> None:
    assert Sealer("c-17850", KEY).seal("email", "jane@example.org") == "EkaSlWDwuyhpSVc9RiTFvUFCMZ-MxHHzl1HPmaZTTYhL"
    assert Sealer("c-17850", KEY).seal("email", "") == "VI2kC-uyfBgOXwpeaePd4hg"


@pytest.mark.parametrize("length", [0, 16, 32, 48, 63, 65])
def test_a_key_has_64_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        Sealer("c-1", bytes(length))


def test_keys_are_never_the_same_and_never_shown() -> None:
    key = new_key()
    assert len(key) == 64
    assert key != new_key()
    assert key.hex() not in repr(Sealer("c-1", key))
