"""Right, wrong and abstained, by hand; what an oracle would need; how sure a share is."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.curve import Question, Verdict, VerdictOutcome
from tuner.record import Measurement, Outcome, Packet, Phase, PlanStep, StepKind
from tuner.search import SearchRecord
from tuner.search.simulation import Mark, Share, judge
from tuner.search.simulation.judge import answer_of, worth
from tuner.search.simulation.oracle import least_seconds, sufficient


def asked(levels, margin=0.01, patience=2):
    return Question(
        "s", "t", "width", tuple(levels), "accuracy", "maximize", margin, 0.05, patience
    )


MEANS = {1: 0.80, 2: 0.83, 4: 0.835, 8: 0.84}
"""At a margin of .01 these are worth .80, .82, .815 and .81."""


@pytest.mark.parametrize(
    ("level", "mark"),
    [
        (1, Mark.WRONG),
        (2, Mark.RIGHT),
        (4, Mark.RIGHT),  # worth half a margin less, and no more than that
        (8, Mark.WRONG),
        (None, Mark.ABSTAINED),
    ],
)
def test_an_answer_is_right_within_half_a_margin_of_the_best(level, mark):
    assert judge(asked(MEANS), MEANS, level) is mark


def test_the_best_is_sought_on_the_whole_ladder_not_on_what_was_measured():
    assert judge(asked(MEANS), {**MEANS, 8: 0.9}, 2) is Mark.WRONG


def test_worth_counts_doublings_from_the_lowest_level():
    assert worth(asked([3, 12]), {3: 0.5, 12: 0.5}) == {3: 0.5, 12: pytest.approx(0.48)}


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=8),
    st.floats(0.001, 0.2),
    st.floats(-1, 1),
)
@settings(deadline=None)
def test_some_answer_is_always_right_and_a_shift_of_all_means_changes_none(means, margin, shift):
    levels = [2**i for i in range(len(means))]
    question = asked(levels, margin)
    by_level = dict(zip(levels, means, strict=True))
    true = worth(question, by_level)
    assert judge(question, by_level, max(true, key=true.__getitem__)) is Mark.RIGHT
    best = max(true.values())
    for level in levels:
        if not math.isclose(true[level], best - margin / 2, abs_tol=1e-9):
            shifted = {k: mean + shift for k, mean in by_level.items()}
            assert judge(question, shifted, level) is judge(question, by_level, level)


def test_a_verdict_recommends_its_level_or_the_top_where_returns_still_rise():
    question = asked([1, 2, 4])
    for outcome, level, answer in [
        (VerdictOutcome.PLATEAUED, 2, 2),
        (VerdictOutcome.DECLINING, 1, 1),
        (VerdictOutcome.RISING, None, 4),
        (VerdictOutcome.INCONCLUSIVE, None, None),
    ]:
        assert answer_of(Verdict(outcome, level, ""), question) == answer


def test_wilsons_interval():
    # By the formula at z = 1.96: (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    n, p, z = 400, 0.05, 1.959964
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = Share(20, 400).interval
    assert low == pytest.approx((middle - half) / (1 + z * z / n), rel=1e-6)
    assert high == pytest.approx((middle + half) / (1 + z * z / n), rel=1e-6)
    assert Share(20, 400).estimate == 0.05
    assert Share(0, 40).interval[0] == 0
    assert Share(40, 40).interval[1] == 1


def test_what_suffices_is_the_smallest_level_that_no_larger_one_beats():
    assert sufficient(asked(MEANS), MEANS) == 2
    assert sufficient(asked(MEANS, 0.1), MEANS) == 1
    assert sufficient(asked(MEANS, 0.001), MEANS) == 8
    # A dip hides nothing: 1 is worth more than 2, and less than 4.
    assert sufficient(asked([1, 2, 4]), {1: 0.5, 2: 0.4, 4: 0.6}) == 4


def swept(levels, replicates):
    """Returns a sweep in which a fit at level k takes k seconds: one trial, some replicates."""
    record = SearchRecord("job", "s")
    for phase, kind, seeds in (
        (Phase.TUNING, StepKind.TUNE, (0,)),
        (Phase.MEASURING, StepKind.MEASURE, tuple(range(replicates))),
    ):
        packet = Packet(f"s:{phase}", phase, ((),), tuple(levels), seeds)
        record.steps.append(PlanStep("s", len(record.steps) + 1, kind, "", "", (packet,)))
        for member, i in zip(packet.members(), record.ids(packet), strict=True):
            record.measurements[i] = Measurement(
                i, "s", phase, member.level, (), member.replicate, Outcome.COMPLETED,
                {"accuracy": 0.5}, billed_device_seconds=float(member.level),
            )  # fmt: skip
    return record


def test_an_oracle_climbs_patience_levels_beyond_the_answer_on_the_fewest_replicates():
    record = swept(MEANS, replicates=10)
    # 2 suffices: at a patience of 1 the levels 1, 2, 4 with one trial and 3 replicates.
    assert least_seconds(asked(MEANS, patience=1), MEANS, record, 3) == (1 + 2 + 4) * 4
    assert least_seconds(asked(MEANS, patience=2), MEANS, record, 3) == (1 + 2 + 4 + 8) * 4
    # There is nothing beyond the top.
    assert least_seconds(asked(MEANS, 0.001), MEANS, record, 3) == (1 + 2 + 4 + 8) * 4
