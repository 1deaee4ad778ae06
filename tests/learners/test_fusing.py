"""What is trained together is of one shape, and a batch that fails costs no member its result."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners.base import Device, Model, Result
from tuner.learners.fits import Fitted
from tuner.learners.fusing import Failure, FusingLearner, Part
from tuner.record import Member, Outcome, Setting, make_setting
from tuner.scoring import DivergedError
from tuner.testing import tiny_table
from tuner.testing.probes import ExpiringDevice

FOLDS = [tiny_table(replicate, n=30) for replicate in range(3)]


class Noted(FusingLearner):
    """Notes what it is asked to fit, and runs out of memory above so many members."""

    name = "noted"
    nested = frozenset({"rounds"})
    fused = frozenset({"rate"})

    def __init__(self, room: int = 1_000) -> None:
        self.room = room
        self.batches: list[tuple[tuple[Value, int], ...]] = []
        self.fits: list[tuple[int, ...]] = []

    def problem_with(self, x: Features, classes: int) -> str | None:
        return "nothing but nines" if (x == 9).all() else None

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> Model:
        raise AssertionError("no packet keeps a model")

    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        self.fits.append(tuple(levels))
        if self.room < 1:
            raise MemoryError
        if setting["rate"] == "broken":
            raise ValueError("broken")
        for level in levels:
            yield Fitted(level, None, None, fold.replicate, 1.0)

    def fit_together(
        self, parts: Sequence[Part], level: int, device: Device
    ) -> Sequence[Fitted | Failure]:
        self.batches.append(tuple((p.setting["rate"], p.fold.replicate) for p in parts))
        if len(parts) > self.room:
            raise MemoryError
        if any(part.setting["rate"] == "broken" for part in parts):
            raise ValueError("broken")
        assert all(part.setting["depth"] == level for part in parts)
        return [
            Failure(DivergedError("too fast"), 0.5)
            if part.setting["rate"] == "fast"
            else Fitted(level, None, None, part.fold.replicate, 1.0)
            for part in parts
        ]


def settings(*rates: Value, width: int = 1) -> list[Setting]:
    return [make_setting({"rate": rate, "width": width}) for rate in rates]


def run(
    learner: Noted,
    some: Sequence[Setting],
    levels: Sequence[int] = (2,),
    folds: Sequence[Fold] = FOLDS,
    device: Device | None = None,
    axis: str = "depth",
) -> dict[Member, Result]:
    results = list(learner.evaluate(axis, some, levels, folds, device or Device()))
    assert len(results) == len(some) * len(levels) * len(folds)
    return {result.member: result for result in results}


def test_a_batch_is_all_of_one_shape() -> None:
    learner = Noted()
    larger = replace(tiny_table(7, n=40), x_score=FOLDS[0].x_score, y_score=FOLDS[0].y_score)
    run(learner, [*settings(0.1, 0.2), *settings(0.3, width=2)], (1, 2), [*FOLDS[:2], larger])
    at_each = [((0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1)), ((0.1, 7), (0.2, 7)), ((0.3, 0), (0.3, 1))]
    assert learner.batches == at_each * 2
    assert learner.fits == [(1,), (2,)], "the one of width 2 on the larger fold, at each level"


def test_a_member_alone_with_its_shape_is_fitted_alone() -> None:
    learner = Noted()
    run(learner, settings(0.1), (1, 2, 3), FOLDS[:1])
    assert (learner.batches, learner.fits) == ([], [(1,), (2,), (3,)])


def test_on_a_nested_axis_one_fit_still_scores_all_levels() -> None:
    learner = Noted()
    run(learner, settings(0.1, 0.2), (1, 2), FOLDS[:2], axis="rounds")
    assert (learner.batches, learner.fits) == ([], [(1, 2)] * 4)


@given(members=st.integers(1, 40), room=st.integers(0, 41))
def test_a_batch_is_halved_until_there_is_room(members: int, room: int) -> None:
    learner = Noted(room)
    results = run(learner, settings(*range(members)), folds=FOLDS[:1])
    expected = Outcome.COMPLETED if room else Outcome.OUT_OF_MEMORY
    assert {result.outcome for result in results.values()} == {expected}
    sizes = [len(batch) for batch in learner.batches]
    fitted = sum(size for size in sizes if size <= room) + len(learner.fits)
    assert fitted == members, "some were fitted twice"
    if members > 1:
        assert sizes[0] == members
    if room < members and room > 1:
        assert max(size for size in sizes if size <= room) > room / 2, "smaller than need be"


def test_one_that_breaks_a_batch_breaks_alone(caplog: pytest.LogCaptureFixture) -> None:
    learner = Noted()
    with caplog.at_level(logging.WARNING):
        results = run(learner, settings(0.1, "broken", 0.2), folds=FOLDS[:1])
    outcomes = {dict(m.setting)["rate"]: (r.outcome, r.error) for m, r in results.items()}
    assert outcomes == {
        0.1: (Outcome.COMPLETED, ""),
        "broken": (Outcome.CRASHED, "ValueError: broken"),
        0.2: (Outcome.COMPLETED, ""),
    }
    assert "noted: 3 members at level 2 are fitted one by one" in caplog.text


def test_a_members_failure_is_its_own() -> None:
    results = run(Noted(), settings(0.1, "fast"))
    for member, result in results.items():
        if dict(member.setting)["rate"] == "fast":
            assert (result.outcome, result.error) == (Outcome.DIVERGED, "too fast")
            assert result.standalone_seconds == 0.5
        else:
            assert (result.outcome, result.parameters) == (Outcome.COMPLETED, member.replicate)


def test_what_cannot_be_learnt_from_keeps_out_of_the_batch() -> None:
    learner = Noted()
    nines = replace(FOLDS[2], x=FOLDS[2].x * 0 + 9)
    results = run(learner, settings(0.1), folds=[*FOLDS[:2], nines])
    assert [len(batch) for batch in learner.batches] == [2]
    assert [(r.outcome, r.error) for m, r in results.items() if m.replicate == 2] == [
        (Outcome.CRASHED, "nothing but nines")
    ]


def test_a_batch_is_not_begun_after_the_deadline() -> None:
    learner = Noted()
    results = run(learner, settings(0.1, 0.2), (1, 2), device=ExpiringDevice(looks=1))
    assert len(learner.batches) == 1
    late = {Outcome.COMPLETED: 6, Outcome.TIMED_OUT: 6}
    found = [result.outcome for result in results.values()]
    assert {outcome: found.count(outcome) for outcome in late} == late


def test_a_batch_that_failed_holds_no_memory_while_its_halves_run() -> None:
    class Tensor:
        pass

    held: list[weakref.ref[Tensor]] = []

    class Hungry(Noted):
        def fit_together(
            self, parts: Sequence[Part], level: int, device: Device
        ) -> Sequence[Fitted | Failure]:
            assert not any(ref() for ref in held)
            tensor = Tensor()
            held.append(weakref.ref(tensor))
            return super().fit_together(parts, level, device)

    results = run(Hungry(room=2), settings(0.1, 0.2, 0.3))
    assert len(held) > 2
    assert all(result.outcome is Outcome.COMPLETED for result in results.values())
