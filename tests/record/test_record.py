"""The record: ids that tell all work apart and none of it twice."""

import random

from hypothesis import given
from hypothesis import strategies as st

from tuner.record import (
    Measurement,
    Outcome,
    Packet,
    Phase,
    make_setting,
    measurement_id,
    record_digest,
    seed_of,
)

JOB = "namespaces/n/jobs/j"


def an_id(**more: object) -> str:
    setting = make_setting(more)  # type: ignore[arg-type]
    return measurement_id(JOB, "s", Phase.TUNING, 1, setting, 0)


def test_the_id_of_known_work_never_changes():
    """A changed id would make every stored record unreachable."""
    setting = make_setting({"learning_rate": 0.003, "filters": 16, "averaged": True, "name": "x"})
    assert measurement_id(JOB, "cnn/depth", Phase.MEASURING, 4, setting, 3) == (
        "b92bb04de4d57180654e8fe3db47c42c68ccd5feef84b7cf402748a5a396ec70"
    )


def test_types_and_neighbouring_floats_have_ids_of_their_own():
    ids = {an_id(a=v) for v in (1, 1.0, True, "1", 1.0000000000000002, 0.0, -0.0, 0, False, "")}
    assert len(ids) == 10


def test_names_and_values_can_not_run_into_each_other():
    assert an_id(a="b", c="d") != an_id(a="bc", d="")
    assert measurement_id(JOB, "s1", Phase.TUNING, 1, (), 0) != measurement_id(
        JOB, "s", Phase.TUNING, 11, (), 0
    )


def test_what_a_measurement_is_for_is_part_of_its_id():
    """A candidate may be tuned and then measured as a runner-up: its rows stay apart."""
    assert len({measurement_id(JOB, "s", phase, 1, (), 0) for phase in Phase}) == len(Phase) == 3


def test_the_order_in_which_hyperparameters_are_given_is_no_part_of_the_id():
    assert make_setting({"a": 1, "b": 2}) == make_setting({"b": 2, "a": 1})


def test_a_packets_members_are_all_its_combinations():
    one, two = make_setting({"a": 1}), make_setting({"a": 2})
    packet = Packet("p", Phase.TUNING, (one, two), (1, 2, 4), (0, 1))
    assert len({(m.setting, m.level, m.replicate) for m in packet.members()}) == 12


@given(st.lists(st.floats(), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_digest_of_a_record_depends_on_ids_outcomes_and_scores_alone(values, chance):
    rows = [
        Measurement(f"{i}", "s", Phase.TUNING, 1, (), i, Outcome.COMPLETED, {"error": value})
        for i, value in enumerate(values)
    ]
    shuffled = random.Random(chance.random()).sample(rows, len(rows))
    assert record_digest(shuffled) == record_digest(rows)
    assert record_digest(rows[1:]) != record_digest(rows)
    failed = Measurement("0", "s", Phase.TUNING, 1, (), 0, Outcome.CRASHED)
    assert record_digest([failed, *rows[1:]]) != record_digest(rows)


def test_nan_is_the_same_result_as_nan():
    rows = [
        Measurement("i", "s", Phase.TUNING, 1, (), 0, Outcome.COMPLETED, {"e": float("nan")})
        for _ in range(2)
    ]
    assert rows[0].same_result(rows[1])


def test_seeds_follow_from_their_parts():
    assert seed_of(0, "a", 1) == seed_of(0, "a", 1)
    assert (
        len({seed_of(0, "a", 1), seed_of(0, "a", "1"), seed_of(0, "a1"), seed_of("0", "a", 1)}) == 4
    )
    assert 0 <= seed_of("x") < 2**32
