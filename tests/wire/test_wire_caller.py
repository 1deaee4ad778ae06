"""Who makes a call: any name arrives, and what is none is anonymous."""

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.wire.caller import ANONYMOUS, MAX_NAME, caller_to_wire, token_from_wire, user_from_wire

NAME = st.text(max_size=MAX_NAME).filter(lambda t: t == t.strip() and t.isprintable() and t)


@given(NAME)
def test_a_name_arrives_in_printable_ascii(name):
    metadata = caller_to_wire("", name)
    assert all(" " <= c <= "~" for _, value in metadata for c in value)
    assert user_from_wire(metadata) == name


@given(st.text(), st.text(st.characters(codec="utf-8")))
def test_nothing_that_is_shown_of_a_user_breaks_a_line(name, raw):
    for metadata in (caller_to_wire("", name), [("tuner-user", raw)]):
        shown = user_from_wire(metadata)
        assert shown.isprintable()
        assert 1 <= len(shown) <= MAX_NAME


def test_a_name_that_is_no_text_is_sent_all_the_same():
    assert user_from_wire(caller_to_wire("", "j\udcfcrgen")) == "j?rgen"


@pytest.mark.parametrize(
    "metadata", [None, (), [("tuner-user", "")], [("tuner-user", "a%0Ab")], [("tuner-user", b"x")]]
)
def test_who_shows_no_name_is_anonymous(metadata):
    assert user_from_wire(metadata) == ANONYMOUS


def test_the_token_arrives_beside_the_name():
    metadata = grpc.aio.Metadata(*caller_to_wire("secret", "ada"))
    assert (token_from_wire(metadata), user_from_wire(metadata)) == ("secret", "ada")
    assert caller_to_wire("", "") == ()
    assert token_from_wire(None) == token_from_wire([("authorization", "Basic secret")]) == ""
    assert token_from_wire([("authorization", "bearer  secret ")]) == "secret"
