"""The climb for loops that aren't ours: what it shows is what its policy decided on."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from tuner.catalog import Number
from tuner.curve import Question
from tuner.integrations.ascent import Ascent, Plan
from tuner.record import Outcome, Phase, StepKind, seed_of
from tuner.returns import assess
from tuner.search import SearchRecord
from tuner.search.selection import Selection
from tuner.spec import Measuring, Tuning

LEVELS = (1, 2, 4, 8, 16)
KEY = "net/width"


def plan(seed: int) -> Plan:
    asked = Question(KEY, "", KEY, LEVELS, "error", "minimize", margin=0.02, patience=1)
    space = {"rate": Number(1e-4, 1.0, 1e-2, log=True)}
    tuning = Tuning(trials=4, generation=3, sampler="random")
    return Plan(asked, space, tuning, Measuring(), seed)


def noise(*parts: str | int) -> float:
    return random.Random(seed_of(*parts)).gauss(0.0, 1.0)


def run(seed: int) -> Ascent:
    """Runs a climb whose best rate is far from the default, on results in a drawn order."""
    ascent, chance = Ascent(plan(seed)), random.Random(seed)
    for _ in range(10_000):
        out = []
        while (task := ascent.ask(name := f"t{len(out)}")) is not None and len(out) < 50:
            out.append((name, task))
        if not out:
            assert ascent.concluded
            return ascent
        chance.shuffle(out)
        for name, task in out:
            rate = dict(task.member.setting)["rate"]
            assert isinstance(rate, float)
            gain = 0.06 * max(0.0, math.log2(4 / task.member.level))
            off = 0.05 * abs(math.log10(rate / 0.001))
            luck = noise(seed, task.phase == Phase.TUNING, task.member.level, task.member.replicate)
            # One decimal too few to tell all settings apart: some tie.
            score = round(0.1 + gain + off + 0.004 * luck, 2)
            assert ascent.tell(name, Outcome.COMPLETED, score, 1.0)
    raise AssertionError("it doesn't end")


@pytest.fixture(scope="module")
def runs() -> list[Ascent]:
    return [run(seed) for seed in range(16)]


def test_its_curve_reads_the_rows_that_its_policy_read(runs):
    """Rows arrive in any order, settings tie, and winners lose their place to later ones."""
    replaced = 0
    for ascent in runs:
        selection = Selection(ascent.plan, KEY)
        drawn, scores = ascent.curve(), selection.scores(ascent.record)
        look = assess(ascent.plan.asked, scores)
        assert drawn.verdict == look.verdict
        assert ascent.decision.startswith(look.verdict.outcome)
        for level in look.levels:
            at = drawn.at(level)
            assert at.setting == selection.winner(ascent.record, int(level))
            assert at.replicates == len(scores[level])
            assert at.score == pytest.approx(sum(scores[level].values()) / len(scores[level]))
            rows = ascent.record.rows(Phase.MEASURING, level)
            replaced += len({row.setting for row in rows}) > 1
    assert replaced > 0  # or nothing was put to the test


def test_the_best_is_what_was_measured_at_the_level_that_suffices_or_seems_to(runs):
    for ascent in runs:
        selection = Selection(ascent.plan, KEY)
        look = assess(ascent.plan.asked, selection.scores(ascent.record))
        level = look.verdict.level if look.verdict.level is not None else look.estimated_sufficient
        assert level is not None
        assert ascent.best() == (level, selection.winner(ascent.record, int(level)))


def test_the_best_is_not_misled_by_rows_of_a_setting_that_lost_its_place(runs):
    """They look far better than all else, at a level that is too small; no verdict is there yet."""
    whole = runs[0].record
    first = next(n for n, s in enumerate(whole.steps) if s.kind is StepKind.MEASURE)
    early = Ascent(plan(0))
    early.record = SearchRecord(whole.job, KEY, whole.steps[: first + 1], whole.measurements)
    early.record.measurements = {row.id: row for row in early.record.claimed()}
    assert early.curve().verdict.level is None
    best = early.best()
    assert best is not None
    assert best[0] > 1
    for row in early.record.rows(Phase.MEASURING, 1):
        old = replace(row, id=f"{row.id}-", setting=(("rate", 0.9),), scores={"error": -9.0})
        early.record.measurements[old.id] = old
    assert early.best() == best
