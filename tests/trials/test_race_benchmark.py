"""benchmarks/race: both sides run the same fits, and what it prints follows from their runs."""

from __future__ import annotations

import json
import math
from collections import Counter
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.race import questions
from benchmarks.race.fits import Done, Group, answers, groups, run_fit, to_measure, whole
from benchmarks.race.peer import Levels, space_of
from benchmarks.race.result import Answer, Finish, agree, as_json, markdown
from benchmarks.race.service import count_fits
from tuner.catalog import Number
from tuner.curve import VerdictOutcome
from tuner.datasets import registry as datasets
from tuner.datasets.splits import Splits
from tuner.record import Measurement, Packet, Phase, make_setting
from tuner.returns import analyze
from tuner.spec import Fixed, JobSpec
from tuner.trials.execute import execute
from tuner.trials.work import SlotConfig, Task

SPEC = JobSpec.parse(
    {
        "dataset": "digits",
        "margin": 0.02,
        "baseline": None,
        "searches": [
            {"learner": "cnn", "axis": "filters", "levels": (1, 2, 4), "space": {"epochs": 1}},
            {"learner": "forest", "axis": "trees", "levels": (1, 2, 8)},
        ],
        "tuning": {"trials": 3},
        "measuring": {"min_replicates": 4, "max_replicates": 5},
    }
)
CNN, FOREST = (search.key for search in SPEC.searches)


@cache
def splits() -> Splits:
    return Splits(datasets.load("digits"), SPEC.split, SPEC.seed)


def measured(key: str, levels: tuple[int, ...], phase: Phase, replicate: int) -> list[Measurement]:
    """Returns what a worker of the service makes of the default there."""
    search = SPEC.search(key)
    setting = whole(SPEC, Group(key, levels), {})
    packet = Packet("p", phase, (setting,), levels, (replicate,))
    task = Task(packet, "namespaces/n/jobs/j", key, search.learner, search.axis)
    slot = SlotConfig("namespaces/n/jobs/j", "j", SPEC.seed, 1.0, 0.0, 1, 600.0)
    return list(execute(task, splits(), slot, "cpu", "cpu", "node").measurements)


@pytest.mark.parametrize("phase", [Phase.TUNING, Phase.MEASURING])
@pytest.mark.parametrize(("key", "levels"), [(CNN, (2,)), (FOREST, (1, 2, 8))])
def test_the_peers_fits_are_the_services(key, levels, phase):
    fit = {"search": key, "levels": list(levels), "phase": phase, "replicate": 1, "setting": {}}
    done = run_fit(SPEC, splits(), fit)
    rows = measured(key, levels, phase, 1)
    metric = SPEC.search(key).metric
    assert done["scores"] == [row.scores[metric] for row in rows]
    assert done["objective"] == pytest.approx(sum(done["scores"]) / len(levels))
    assert done["seconds"] > 0


def test_a_failed_fit_has_no_score_and_wins_nothing():
    wild = {"learning_rate": 1e30, "weight_decay": 0.1, "dropout": 0.0}
    fit = {"search": CNN, "levels": [2], "phase": "TUNING", "replicate": 0, "setting": wild}
    done = run_fit(SPEC, splits(), fit)
    assert math.isnan(done["scores"][0])
    assert done["objective"] == math.inf


def test_levels_are_tuned_apart_unless_one_fit_is_known_to_score_them():
    alone = [Group(CNN, (level,)) for level in (1, 2, 4)]
    assert groups(SPEC, False) == alone + [Group(FOREST, (level,)) for level in (1, 2, 8)]
    assert groups(SPEC, True) == [*alone, Group(FOREST, (1, 2, 8))]


def tuned(key: str, levels: tuple[int, ...], scores: tuple[float, ...], **setting: float) -> Done:
    return Done(key, levels, Phase.TUNING, 0, make_setting(setting), scores, 1.0, 0.0)


def test_the_best_are_measured_the_earliest_of_equals_and_no_failure():
    fits = to_measure(
        SPEC,
        [
            tuned(CNN, (1,), (math.nan,), a=0),
            tuned(CNN, (1,), (0.2,), a=1),
            tuned(CNN, (1,), (0.2,), a=2),
            tuned(CNN, (1,), (0.3,), a=3),
            tuned(CNN, (2,), (0.1,), a=4),
        ],
        False,
    )
    won = {1: {"a": 1}, 2: {"a": 4}}
    assert [(f["levels"], f["setting"]) for f in fits] == [
        ([level], won[level]) for _ in range(5) for level in (1, 2)
    ]
    # All levels on a replicate before the next, so that the fewest are done first.
    assert [f["replicate"] for f in fits] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("together", "expected"),
    [(False, [([1], 0), ([2], 1), ([8], 0)]), (True, [([1, 8], 0), ([2], 1)])],
)
def test_who_knows_nesting_measures_each_distinct_winner_once(together, expected):
    rows = [
        tuned(FOREST, (1, 2, 8), (0.5, 0.4, 0.1), a=0),
        tuned(FOREST, (1, 2, 8), (0.6, 0.3, 0.2), a=1),
    ]
    fits = [f for f in to_measure(SPEC, rows, together) if f["replicate"] == 0]
    assert sorted((f["levels"], f["setting"]["a"]) for f in fits) == sorted(expected)


def test_the_peers_answer_is_that_of_its_first_replicates():
    scores = {1: 0.3, 2: 0.2, 4: 0.19}
    noise = (0.0, 0.004, -0.003, 0.002, 0.05)
    rows = [
        Done(key, (level,), Phase.MEASURING, i, (), (score + noise[i] * level,), 2.0, 0.0)
        for key, places in ((CNN, (1, 2, 4)), (FOREST, (1, 2, 8)))
        for level, score in zip(places, scores.values(), strict=True)
        for i in range(5)
    ]
    rows.append(tuned(CNN, (1,), (0.9,), a=0))
    for count in (4, 5):
        first = answers(SPEC, rows, count)[0]
        table = {
            "level": [d.levels[0] for d in rows if d.search == CNN and d.phase is Phase.MEASURING],
            "error": [d.scores[0] for d in rows if d.search == CNN and d.phase is Phase.MEASURING],
            "seed": [d.replicate for d in rows if d.search == CNN and d.phase is Phase.MEASURING],
        }
        kept = {n: [v for v, i in zip(c, table["seed"], strict=True) if i < count]
                for n, c in table.items()}  # fmt: skip
        curve = analyze(
            kept, level="level", score="error", direction="minimize", margin=0.02,
            replicate="seed", design="fixed",
        )  # fmt: skip
        assert curve.verdict is not None
        assert (first.outcome, first.level) == curve.verdict.answer
        assert (first.fits, first.device_seconds) == (3 * count + 1, 2.0 * 3 * count + 1.0)


def test_every_group_gets_its_trials_the_default_first_within_our_ranges():
    spec = questions.question("digits", quick=True)
    parts = groups(spec, True)
    searcher = Levels(spec, parts)
    dealt: Counter[tuple[str, tuple[int, ...]]] = Counter()
    place = 0
    while isinstance(given_ := searcher.suggest(f"t{place}"), dict):
        fit = given_["fit"]
        group = Group(fit["search"], tuple(fit["levels"]))
        ranges = spec.search(group.search).ranges(group.levels[-1])
        free = {name: r for name, r in ranges.items() if not isinstance(r, Fixed)}
        assert fit["setting"].keys() == free.keys()
        if not dealt[group.search, group.levels]:
            assert fit["setting"] == {name: r.default for name, r in free.items()}
        dealt[group.search, group.levels] += 1
        searcher.on_trial_complete(f"t{place}", {"objective": 0.1 * place})
        place += 1
    assert dealt == {(g.search, g.levels): spec.tuning.trials for g in parts}


def test_optuna_looks_where_the_service_does():
    ranges = SPEC.search(CNN).ranges(4)
    space = space_of(SPEC, Group(CNN, (4,)))
    assert {name.rpartition("/")[2] for name in space} == {
        name for name, r in ranges.items() if not isinstance(r, Fixed)
    }
    for name, found in space.items():
        ours = ranges[name.rpartition("/")[2]]
        assert isinstance(ours, Number)
        assert (found.low, found.high, found.log) == (ours.low, ours.high, ours.log)


def test_the_questions_are_the_example_and_eight_levels():
    assert questions.question("digits") == JobSpec.from_file(questions.DIGITS)
    (search,) = questions.question("ladder").searches
    assert len(search.levels) == 8
    for name in questions.NAMES:
        quick = questions.question(name, quick=True)
        assert {len(s.levels) for s in quick.searches} == {3}
        assert [s.key for s in quick.searches] == [s.key for s in questions.question(name).searches]


def test_a_fit_that_scores_many_levels_counts_once():
    rows = measured(FOREST, (1, 2, 8), Phase.MEASURING, 0)
    assert (len(rows), count_fits(SPEC, FOREST, rows)) == (3, 1)
    apart = measured(CNN, (1, 2), Phase.MEASURING, 0)
    assert (len(apart), count_fits(SPEC, CNN, apart)) == (2, 2)


def answer(outcome: VerdictOutcome, level: float | None = None, seconds: float = 1.0) -> Answer:
    return Answer("s", outcome.value, level, (1, 2), 10, seconds)


PLATEAUED, DECLINING = VerdictOutcome.PLATEAUED, VerdictOutcome.DECLINING
RISING, INCONCLUSIVE = VerdictOutcome.RISING, VerdictOutcome.INCONCLUSIVE

ANSWERS = st.one_of(
    st.builds(answer, st.sampled_from([PLATEAUED, DECLINING]), st.sampled_from([1.0, 2.0])),
    st.builds(answer, st.sampled_from([RISING, INCONCLUSIVE])),
)


@given(ANSWERS, ANSWERS)
def test_agreement_needs_an_answer_and_has_no_side(one, other):
    assert agree(one, other) == agree(other, one)
    assert agree(one, one) == (one.outcome != INCONCLUSIVE)
    if agree(one, other):
        assert one.level == other.level


def test_enough_at_one_level_agrees_whether_or_not_more_does_harm():
    assert agree(answer(PLATEAUED, 2), answer(DECLINING, 2))
    assert not agree(answer(PLATEAUED, 1), answer(PLATEAUED, 2))
    assert not agree(answer(RISING), answer(PLATEAUED, 2))
    assert not agree(answer(INCONCLUSIVE), answer(INCONCLUSIVE))


def test_ratios_are_to_the_service():
    ours = Finish("ours", 10.0, 5.0, 2.0, (answer(PLATEAUED, 2, 4.0),))
    peer = Finish("peer", 35.0, 6.0, 3.0, (answer(INCONCLUSIVE, None, 20.0),))
    found = json.loads(json.dumps(as_json("q", [ours, peer])))
    assert [(w["times_ours"], w["device_times_ours"]) for w in found["ways"]] == [(1, 1), (3.5, 5)]
    assert [w["searches"][0]["agrees"] for w in found["ways"]] == [True, False]
    text = markdown("q", [ours, peer]).splitlines()
    assert "| peer | 35.0 | 3.5 | 3.0 s | 6.0 s | 10 | 20.0 | 5.0 |" in text
    assert "| s | ours | PLATEAUED at 2 |  | 1 2 | 4.0 | 1.0 |" in text
    assert "| s | peer | INCONCLUSIVE | no | 1 2 | 20.0 | 5.0 |" in text
