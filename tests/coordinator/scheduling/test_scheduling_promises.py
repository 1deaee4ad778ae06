"""What the policy promises, tried out in the simulator on clusters and jobs of any kind."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.coordinator.scheduling.model import Account, Rules, Shape
from services.coordinator.scheduling.simulated import Report, Work
from services.coordinator.scheduling.simulation import Simulation
from tuner.queue import Quota

ENDLESS = 10**6
ONE = Shape(1.0)
HAND_OVER_SECONDS = 14.0
"""A share settles, a driver starts, and a look is every two seconds: so long a slot may idle."""

QUICK = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def endless(name: str, namespace: str, **changes: object) -> Work:
    """A job that always wants more than there is."""
    given_ = {"shape": ONE, "packets": ENDLESS, "width": 50, "seconds": (20.0, 60.0), **changes}
    return Work(name, namespace, **given_)


def run(
    works: list[Work],
    nodes: dict[str, Shape],
    seconds: float,
    accounts: dict[str, Account] | None = None,
    rules: Rules | None = None,
    look_seconds: float = 5.0,
) -> Report:
    dice = random.Random(7)
    return Simulation(works, nodes, dice, rules, accounts, look_seconds).run(seconds)


def weighted(**weights: float) -> dict[str, Account]:
    return {name: Account(Quota(weight=weight)) for name, weight in weights.items()}


@pytest.mark.parametrize(
    ("weights", "slots"),
    [
        ({"a": 1, "b": 1}, 3),
        ({"a": 1, "b": 1, "c": 1}, 2),
        ({"a": 1.5, "b": 1}, 2),
        ({"a": 3, "b": 2, "c": 1, "d": 1}, 7),
    ],
)
def test_shares_are_within_5_percent_of_the_weights_over_a_long_run(
    weights: dict[str, float], slots: int
) -> None:
    works = [endless(f"job-{name}", name) for name in weights]
    report = run(works, {"n": Shape(slots)}, 4 * 3600, weighted(**weights))
    whole = sum(report.slot_seconds.values())
    for name, weight in weights.items():
        due = weight / sum(weights.values())
        assert report.slot_seconds[name] / whole == pytest.approx(due, rel=0.05)
    assert report.busy_share > 0.97


def test_jobs_of_a_namespace_share_its_part_evenly() -> None:
    works = [endless("one", "a"), endless("two", "a"), endless("other", "b")]
    report = run(works, {"n": Shape(5)}, 4 * 3600)
    held = {name: story.slot_seconds for name, story in report.jobs.items()}
    assert held["one"] == pytest.approx(held["two"], rel=0.05)
    assert held["one"] + held["two"] == pytest.approx(held["other"], rel=0.05)


def test_long_packets_dont_win_over_short_ones() -> None:
    works = [endless("long", "a", seconds=(600.0, 1800.0)), endless("short", "b", seconds=(1, 5))]
    report = run(works, {"n": Shape(3)}, 8 * 3600, look_seconds=10.0)
    assert report.slot_seconds["a"] == pytest.approx(report.slot_seconds["b"], rel=0.05)
    assert report.jobs["long"].returns == report.jobs["short"].returns == 0


def test_a_dominant_share_is_what_is_shared_where_shapes_differ() -> None:
    works = [endless("narrow", "a"), endless("wide", "b", shape=Shape(4.0))]
    report = run(works, {f"n{i}": Shape(4) for i in range(4)}, 4 * 3600)
    cores = {"a": report.slot_seconds["a"], "b": 4 * report.slot_seconds["b"]}
    assert cores["a"] == pytest.approx(cores["b"], rel=0.05)


def test_a_wide_slot_is_served_for_little_idle_time() -> None:
    """Ten narrow jobs' slots never leave a node to it by themselves."""
    # The wide job comes when every node is taken.
    wide = endless("wide", "b", shape=Shape(3.0), width=1, arrives=100.0)
    works = [endless("narrow", "a"), wide]
    nodes = {f"n{i}": Shape(3) for i in range(3)}
    report = run(works, nodes, 3600)
    assert report.reservations == 1
    assert report.jobs["wide"].first_slot is not None
    assert 300 <= report.jobs["wide"].first_slot - 100 < 300 + 60 + 20
    assert 0 < report.reserved_idle_share < 0.02
    assert report.jobs["narrow"].returns == 0


def test_no_idle_time_is_bought_where_none_is_allowed() -> None:
    works = [endless("narrow", "a"), endless("wide", "b", shape=Shape(3.0), arrives=100.0)]
    nodes = {f"n{i}": Shape(3) for i in range(3)}
    report = run(works, nodes, 3600, rules=Rules(reserve_idle_share=0.0))
    assert (report.reservations, report.reserved_idle_share) == (0, 0.0)
    assert report.jobs["wide"].first_slot is None
    assert report.busy_share > 0.97


def test_a_reservation_that_isnt_filled_is_given_up_and_made_again() -> None:
    works = [
        endless("narrow", "a", seconds=(1500.0, 2500.0)),
        endless("wide", "b", shape=Shape(3.0), arrives=100.0),
    ]
    nodes = {f"n{i}": Shape(3) for i in range(3)}
    report = run(works, nodes, 6000, rules=Rules(reserve_patience=400.0), look_seconds=10.0)
    assert report.reservations > 1
    assert report.reserved_idle_share <= 0.25 + 10 / 3600


def test_a_higher_priority_takes_over_at_the_ends_of_packets() -> None:
    works = [endless("low", "a"), endless("high", "b", priority=5, arrives=600.0, packets=200)]
    report = run(works, {"n": Shape(8)}, 4000)
    high, low = report.jobs["high"], report.jobs["low"]
    assert high.first_slot is not None
    assert high.first_slot - 600 < 60 + 10
    assert low.returns == 1
    # 200 packets of 40 s on 8 slots, and 8 packets to wait for.
    assert high.ended is not None
    assert high.ended - 600 < 200 * 40 / 8 + 60 + 120
    # And it goes on once the other has ended.
    assert low.slot_seconds > (600 + 4000 - high.ended - 100) * 8 * 0.9


def test_what_waits_for_an_hour_is_served_for_minutes_over_a_higher_priority() -> None:
    works = [endless("low", "a", arrives=60.0), endless("high", "b", priority=1)]
    report = run(works, {"n": Shape(4)}, 3 * 3600)
    low = report.jobs["low"]
    assert 3600 <= low.longest_wait < 3600 + 60 + 20
    assert low.returns == 2
    assert 2 * 200 < low.slot_seconds < 2 * 400


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Work], dict[str, Shape], dict[str, Account], Rules]:
    """Small clusters with jobs that end, all of one priority, each of which fits some node."""
    nodes = {f"n{i}": Shape(draw(st.integers(1, 6))) for i in range(draw(st.integers(1, 3)))}
    largest = int(max(node.cpus for node in nodes.values()))
    quotas = st.builds(
        Quota,
        weight=st.sampled_from([0.5, 1.0, 3.0]),
        max_running_jobs=st.sampled_from([None, 1, 2]),
        max_slots=st.sampled_from([None, 1, 3]),
    )
    accounts = {name: Account(draw(quotas)) for name in "abc"}
    works = [
        Work(
            f"job-{number}",
            draw(st.sampled_from("abc")),
            Shape(draw(st.integers(1, largest))),
            packets=draw(st.integers(1, 30)),
            width=draw(st.integers(1, 8)),
            seconds=draw(st.sampled_from([(1.0, 3.0), (10.0, 40.0), (30.0, 30.0)])),
            arrives=draw(st.integers(0, 200)),
            limit=draw(st.sampled_from([None, None, 1, 2])),
        )
        for number in range(draw(st.integers(1, 6)))
    ]
    return works, nodes, accounts, Rules(max_running_jobs=draw(st.integers(1, 4)))


def check_promises(
    world: tuple[list[Work], dict[str, Shape], dict[str, Account], Rules],
) -> None:
    works, nodes, accounts, rules = world
    report = run(works, nodes, 40_000, accounts, rules, look_seconds=2.0)
    for name, story in report.jobs.items():
        assert story.ended is not None, f"{name} starves"
    for name, account in accounts.items():
        most_slots, most_jobs = account.quota.max_slots, account.quota.max_running_jobs
        assert most_slots is None or report.most_slots.get(name, 0) <= most_slots
        assert most_jobs is None or report.most_jobs.get(name, 0) <= most_jobs
    assert report.most_inside <= rules.max_running_jobs
    assert max(report.lengths, default=0.0) <= HAND_OVER_SECONDS
    assert report.reserved_idle_share <= rules.reserve_idle_share + 2 / 3600


@QUICK
@given(worlds())
def test_every_job_ends_within_quotas_and_without_a_slot_idle(
    world: tuple[list[Work], dict[str, Shape], dict[str, Account], Rules],
) -> None:
    check_promises(world)


@pytest.mark.slow
@settings(QUICK, max_examples=400, derandomize=False)
@given(worlds())
def test_so_it_is_with_many_more(
    world: tuple[list[Work], dict[str, Shape], dict[str, Account], Rules],
) -> None:
    check_promises(world)


@settings(QUICK, max_examples=3)
@given(worlds())
def test_the_same_looks_give_the_same_decisions(
    world: tuple[list[Work], dict[str, Shape], dict[str, Account], Rules],
) -> None:
    works, nodes, accounts, rules = world
    first = run(works, nodes, 2000, accounts, rules)
    again = run(list(reversed(works)), nodes, 2000, accounts, rules)
    assert again.decisions == first.decisions
