"""Virtual workers: schedules worked out by hand, and what holds for any."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.search.simulation.clock import Workers

PACKETS = st.lists(st.integers(0, 50).map(float), max_size=20)


def test_packets_go_to_the_worker_that_is_free_first_in_their_order():
    clock = Workers(2)
    # 5 on one; 2, then 2, then 4 on the other: 8, where longest first would need 7.
    assert clock.run([5, 2, 2, 4]) == 8
    assert clock.device_seconds == 13


def test_a_step_waits_for_all_of_the_step_before():
    clock = Workers(3)
    assert clock.run([1, 4]) == 4
    assert clock.run([1, 1, 1]) == 5
    assert clock.now == 5
    assert clock.device_seconds == 8


def test_a_step_without_packets_takes_no_time():
    clock = Workers(2)
    clock.run([3])
    assert clock.run([]) == 3


def test_a_packet_starts_when_it_is_known_and_no_sooner():
    clock = Workers(2)
    assert clock.start(4) == 4
    assert clock.start(1, at=2) == 3
    assert clock.start(1, at=2) == 4


@given(st.lists(PACKETS, max_size=5))
@settings(deadline=None)
def test_one_worker_takes_all_of_the_time(steps):
    clock = Workers(1)
    for packets in steps:
        clock.run(packets)
    assert clock.now == clock.device_seconds == sum(map(sum, steps))


@given(PACKETS.filter(bool), st.integers(1, 6))
@settings(deadline=None)
def test_a_step_is_within_grahams_bound_and_costs_the_same_on_any_number(packets, count):
    clock = Workers(count)
    span = clock.run(packets)
    least = max(max(packets), sum(packets) / count)
    assert least - 1e-9 <= span <= (2 - 1 / count) * least + 1e-9
    assert clock.device_seconds == sum(packets)


def test_no_workers_and_negative_times_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        Workers(0)
    with pytest.raises(ValueError, match="can't take"):
        Workers(1).start(-1)
