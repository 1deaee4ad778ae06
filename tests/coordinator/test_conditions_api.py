"""Conditions through the coordinator: what is recorded, told to the next runner, and judged on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from coordinator_harness import AUTH, House, Runner, a_step, attach, digest, refusal

from tuner import scoring
from tuner.curve import Curve, VerdictOutcome
from tuner.errors import Status
from tuner.predictions import Truth, encode
from tuner.record import FOOTPRINT, Footprint, Measurement, Outcome, Phase, Place, Stress
from tuner.spec import Search
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.artifacts import TRUTH, predictions_name
from tuner.wire.comparison import comparison_from_wire
from tuner.wire.curve import curve_from_wire
from tuner.wire.record import measurement_from_wire, measurement_to_wire

DEPTH, TREES = "simulated/depth", "simulated/trees"
NOISE = Stress("noise:3", Outcome.COMPLETED, 400, 0.25, note="beyond the data's range")
FOOT = Footprint(0.4, 11.0, 52_000, 1.5)
BOTH = (
    Search("simulated", axis="depth", levels=[1, 2, 4, 8], conditions=["noise:3"]),
    Search("simulated", axis="trees", levels=[1, 2]),
)


def a_row(runner: Runner, level: int = 1, replicate: int = 0, **changes: object) -> Measurement:
    """Two levels are enough undisturbed, and each doubling helps under noise."""
    wiggle = ((3 * replicate + level) % 5) / 10_000
    scores = {
        "error": 0.2 / min(level, 2) + wiggle,
        "error@clean": 0.21 / min(level, 2) + wiggle,
        "error@noise:3": 0.8 / level + wiggle,
    }
    row = replace(runner.row(level, replicate), scores=scores, stresses=(NOISE,), footprint=FOOT)
    return replace(row, **changes)


async def ask(house: House, job: str, **asked: object) -> dict[str, Curve]:
    found: dict[str, Curve] = {}
    request = pb.ListCurvesRequest(parent=job, page_size=1, **asked)
    while True:
        answer = await house.stub.ListCurves(request, metadata=AUTH)
        found |= {message.search: curve_from_wire(message) for message in answer.curves}
        request.page_token = answer.next_page_token
        if not answer.next_page_token:
            return found


async def test_verdicts_are_taken_under_a_condition_from_recorded_scores(house: House) -> None:
    job = await house.create(searches=BOTH, margin=0.02)
    runner = await house.enrol(job.name)
    rows = [a_row(runner, level, i) for level in (1, 2, 4, 8) for i in range(6)]
    # All before anything is asked: making curves may outlast a lease on a busy machine.
    await runner.record(*rows, *(a_row(runner, 1, i, **_trees(runner, i)) for i in range(6)))
    own = (await ask(house, job.name))[DEPTH]
    assert own.verdict is not None
    assert own.verdict.answer == (VerdictOutcome.PLATEAUED, 2)
    found = await ask(house, job.name, metric="error@noise:3.0")
    assert list(found) == [DEPTH]
    noisy = found[DEPTH]
    assert (noisy.metric, noisy.direction, noisy.margin) == ("error@noise:3", "minimize", 0.02)
    assert noisy.verdict is not None
    assert noisy.verdict.outcome is VerdictOutcome.RISING
    assert noisy.at(8).score == pytest.approx(0.1, abs=0.001)
    assert noisy.at(8).billed_device_seconds == own.at(8).billed_device_seconds
    assert "error@noise:3, as measured; hyperparameters are those" in noisy.notes[0]
    assert any("6 of 6 replicates: beyond the data's range" in note for note in noisy.notes)
    again = await ask(house, job.name, metric="@noise:3", margin=0.5)
    assert again[DEPTH].verdict is not None
    assert again[DEPTH].verdict.answer == (VerdictOutcome.PLATEAUED, 1)
    clean = (await ask(house, job.name, metric="@clean"))[DEPTH]
    assert (clean.metric, clean.at(1).score) == ("error@clean", pytest.approx(0.2102, abs=1e-4))
    assert list(await ask(house, job.name)) == [DEPTH, TREES]

    compare = pb.CompareSearchesRequest(parent=job.name, metric="@noise:3")
    answer = await house.stub.CompareSearches(compare, metadata=AUTH)
    found = comparison_from_wire(answer.comparison)
    assert found.metric == "error@noise:3"
    assert [c.search for c in found.contenders] == [DEPTH, TREES]
    for asked, field, words in (
        ({"metric": "error@noise:5"}, "metric", "there are clean, noise:3"),
        ({"metric": "error@noise:3", "examples": True}, "examples", "can't be with"),
    ):
        error = await refusal(
            house.stub.ListCurves(pb.ListCurvesRequest(parent=job.name, **asked), metadata=AUTH)
        )
        assert (error.status, error.violations[0].field) == (Status.INVALID_ARGUMENT, field)
        assert words in error.violations[0].problem
    compare.metric = "error@noise:5"
    error = await refusal(house.stub.CompareSearches(compare, metadata=AUTH))
    assert "there are clean, noise:3" in error.violations[0].problem


def _trees(runner: Runner, replicate: int) -> dict[str, object]:
    """The other search's row: scores under noise though its spec asks for none."""
    row = runner.row(1, replicate, search=TREES)
    return {"id": row.id, "search": TREES, "stresses": (), "footprint": None}


async def test_a_search_that_is_judged_under_a_condition_can_be_judged_without(
    house: House,
) -> None:
    """By predictions, which are of undisturbed tests."""
    search = Search("simulated", axis="depth", levels=[1, 2], metric="error@noise:3")
    job = await house.create(searches=[search])
    runner = await house.enrol(job.name)
    y = np.arange(60) % 3
    await attach(runner, TRUTH, Truth(y, np.arange(60), ("a", "b", "c")).to_bytes())
    rows, parts = [], []
    for level in (1, 2):
        for replicate in range(4):
            p = np.eye(3)[np.where(np.arange(60) < 6 * level + replicate, (y + 1) % 3, y)]
            parts.append(encode(p))
            place = Place("", sum(map(len, parts[:-1])), len(parts[-1]))
            scores = scoring.scores(p, y) | {"error@noise:3": 0.9 / level}
            row = a_row(runner, level, replicate, scores=scores, predictions=place)
            rows.append(replace(row, footprint=None))
    blob = b"".join(parts)
    await attach(runner, predictions_name(digest(blob)), blob)
    places = [replace(row.predictions, sha256=digest(blob)) for row in rows]
    rows = [replace(row, predictions=at) for row, at in zip(rows, places, strict=True)]
    # A condition that failed takes nothing from what is known without it.
    without = {name: value for name, value in rows[0].scores.items() if "@" not in name}
    late = replace(NOISE, outcome=Outcome.TIMED_OUT, error="the time ran out", note="")
    rows[0] = replace(rows[0], scores=without, stresses=(late,))
    tried = runner.row(1, phase=Phase.TUNING)
    await runner.record(*rows, replace(tried, scores={"error@noise:3": 0.9}, stresses=(NOISE,)))
    own = (await ask(house, job.name))[DEPTH]
    assert (own.metric, own.at(1).replicates, own.at(1).failed) == ("error@noise:3", 3, 1)
    assert any("TIMED_OUT: the time ran out" in note for note in own.notes)
    clean = (await ask(house, job.name, metric="error"))[DEPTH]
    assert (clean.at(1).replicates, clean.at(1).failed) == (4, 0)
    for curve in (own, clean):  # tuning under noise has its part in the bill
        spent = [curve.at(level).robustness_device_seconds for level in (1, 2)]
        assert spent == [5 * NOISE.device_seconds, 4 * NOISE.device_seconds]
    assert [clean.at(level).score for level in (1, 2)] == pytest.approx([7.5 / 60, 13.5 / 60])
    assert "taken again from stored predictions; hyperparameters are those" in clean.notes[0]
    both = (await ask(house, job.name, metric="error", examples=True))[DEPTH]
    assert both.at(1).score == pytest.approx(7.5 / 60)


async def test_the_next_runner_is_told_of_conditions_and_footprints(house: House) -> None:
    job = await house.create(searches=BOTH, limits={"model_mb": 1})
    runner = await house.enrol(job.name)
    failed = Stress(FOOTPRINT, Outcome.CRASHED, error="it can't be pickled")
    rows = [
        a_row(runner),
        a_row(runner, 2, footprint=None, stresses=(replace(NOISE, examples=0), failed)),
    ]
    ahead = a_row(runner, 4)
    await runner.record(*rows)
    request = rpb.RecordMeasurementsRequest(
        attempt=runner.attempt, surplus=[measurement_to_wire(ahead)]
    )
    await runner.stub.RecordMeasurements(request, metadata=runner.metadata)
    runner.gateway.end(runner.submission.id)
    second = await house.enrol(job.name, 2)
    assignment = rpb.GetAssignmentRequest(attempt=second.attempt)
    messages = [m async for m in second.stub.GetAssignment(assignment, metadata=second.metadata)]
    told = [measurement_from_wire(m) for message in messages for m in message.measurements]
    assert [replace(m, record_time=None) for m in told] == rows
    assert [measurement_from_wire(m) for message in messages for m in message.surplus] == [ahead]
    # Clocks differ, and notes with them: the result is the same.
    slower = replace(rows[0], stresses=(replace(NOISE, device_seconds=9.0),), footprint=None)
    answer = await second.record(slower)
    assert (answer.repeated_count, answer.conflicting) == (1, 0)
    answer = await second.record(replace(rows[0], scores={**rows[0].scores, "error@noise:3": 0.5}))
    assert answer.conflicting == 1


INF, NAN = float("inf"), float("nan")
WRONG = [
    ({"stresses": (replace(NOISE, condition="noise:4"),)}, "stresses[0].condition", "it has noise"),
    ({"stresses": (replace(NOISE, condition=""),)}, "stresses[0].condition", "it has noise:3"),
    ({"stresses": (NOISE, NOISE)}, "stresses[1].condition", "twice"),
    ({"stresses": (replace(NOISE, examples=-1),)}, "stresses[0].examples", "0 or more"),
    ({"stresses": (replace(NOISE, device_seconds=NAN),)}, "stresses[0].device_seconds", "finite"),
    ({"stresses": (replace(NOISE, device_seconds=-1),)}, "stresses[0].device_seconds", "-1"),
    ({"stresses": (replace(NOISE, error="x" * 2001),)}, "stresses[0].error", "2,000"),
    ({"stresses": (replace(NOISE, note="x" * 2001),)}, "stresses[0].note", "2,000"),
    ({"footprint": replace(FOOT, latency_ms=INF)}, "footprint.latency_ms", "inf"),
    ({"footprint": replace(FOOT, batch_latency_ms=NAN)}, "footprint.batch_latency_ms", "nan"),
    ({"footprint": replace(FOOT, model_bytes=-5)}, "footprint.model_bytes", "-5"),
    ({"footprint": replace(FOOT, device_seconds=-0.5)}, "footprint.device_seconds", "0 or more"),
    ({"scores": {"error": 0.1, "x" * 301: 0.1}}, "scores[1].metric", "1 to 300"),
    ({"scores": {"error\n": 0.1}}, "scores[0].metric", "letters"),
    ({"train_scores": {"": 0.1}}, "train_scores[0].metric", "letters"),
]


async def test_what_cannot_have_come_of_a_condition_is_refused_with_its_path(house: House) -> None:
    job = await house.create(searches=BOTH)
    runner = await house.enrol(job.name)
    right = a_row(runner, footprint=None)
    for changes, field, words in WRONG:
        error = await refusal(runner.record(right, a_row(runner, 2, **changes)))
        assert error.status is Status.INVALID_ARGUMENT
        assert error.violations[0].field == f"measurements[1].{field}"
        assert words in error.violations[0].problem
    # A footprint is no condition where none was asked for, and the other search has none at all.
    wrong = a_row(runner, stresses=(replace(NOISE, condition=FOOTPRINT),))
    error = await refusal(runner.record(wrong))
    assert error.violations[0].field == "measurements[0].stresses[0].condition"
    wrong = a_row(runner, **{**_trees(runner, 0), "stresses": (NOISE,)})
    error = await refusal(runner.record(wrong))
    assert "the search; it has none" in error.violations[0].problem
    answer = await runner.record(replace(right, scores={"mine.own:gain@noise:3": 7.5}))
    assert answer.recorded == 1


async def test_a_step_bars_levels_in_order_and_says_why(house: House) -> None:
    job = await house.create(searches=BOTH)
    runner = await house.enrol(job.name)
    for barred, field in (
        (((4, "7 ms"), (2, "9 ms")), "step.barred[1].level"),
        (((4, "7 ms"), (4, "9 ms")), "step.barred[1].level"),
        (((4, ""),), "step.barred[0].reason"),
        (((4, "x" * 2001),), "step.barred[0].reason"),
    ):
        error = await refusal(runner.step(replace(a_step(), barred=barred)))
        assert [v.field for v in error.violations] == [field]
    assert await runner.step(replace(a_step(), barred=((2, "7 ms"), (4, "9 ms")))) is False
