"""The ring keeps the last messages within two bounds and says when it cannot give what was missed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace_kernel.event_ring import MAX_PAGE, EventRing
from tailrace_protocol.joined import join, split


def filled(count: int, size: int = 10, **bounds: int) -> EventRing:
    ring = EventRing("e", **bounds)
    for number in range(count):
        ring.add((b"topic", bytes([number % 256]) * size))
    return ring


@pytest.mark.parametrize(
    ("since", "limit", "first", "last", "complete"),
    [
        (0, 1000, 1, 10, True),
        (7, 1000, 8, 10, True),
        (7, 2, 8, 9, True),
        (10, 1000, 11, 10, True),
        (11, 1000, 1, 10, False),  # a number this epoch has not given yet
    ],
)
def test_pages(since: int, limit: int, first: int, last: int, complete: bool) -> None:
    missed = filled(10).since("e", since, limit)
    assert (missed.first_seq, missed.last_seq, missed.complete) == (first, last, complete)
    assert len(missed.messages) == last - first + 1


def test_what_is_gone_is_told() -> None:
    ring = filled(10, max_events=4)
    assert ring.since("e", 6, 100).complete
    missed = ring.since("e", 5, 100)
    assert (missed.first_seq, missed.last_seq, missed.complete) == (7, 10, False)
    assert not ring.since("another", 9, 100).complete


def test_the_byte_bound_holds_and_the_last_message_is_kept() -> None:
    ring = filled(10, size=100, max_bytes=350)
    assert len(ring.since("e", 0, 100).messages) == 3
    ring.add((b"huge" * 1000,))
    assert ring.since("e", 10, 100).messages == ((b"huge" * 1000,),)


def test_a_page_is_bounded_in_bytes_but_never_empty() -> None:
    ring = filled(4, size=MAX_PAGE * 2 // 3)
    assert len(ring.since("e", 0, 100).messages) == 1
    assert ring.since("e", 3, 100).last_seq == 4


@given(st.lists(st.lists(st.binary(max_size=50), min_size=1, max_size=8), max_size=20))
def test_join_and_split_are_inverse(messages: list[list[bytes]]) -> None:
    assert split(join(messages)) == messages


@given(st.lists(st.lists(st.binary(min_size=1, max_size=50), min_size=1), min_size=1, max_size=5))
def test_a_buffer_cut_short_is_refused(messages: list[list[bytes]]) -> None:
    with pytest.raises(ValueError, match="cut short"):
        split(join(messages)[:-1])
