"""What breaks them: clean against each condition, sufficient levels, the bill, use and limits."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console
from synthetic import measurements, result

from tuner import JobSpec, report
from tuner.curve import CurveLevel, Gain, Verdict, VerdictOutcome
from tuner.report import naming, robustness, standings, tables
from tuner.report.html import page

SPEC = JobSpec.parse(
    {
        "dataset": "digits",
        "metric": "error",
        "margin": 0.02,
        "baseline": None,
        "robustness": {"conditions": ["noise:3", "label_noise:0.2", "decision:0.1"]},
        "searches": [
            {"learner": "forest", "axis": "trees", "levels": [4, 16, 64, 256, 1024]},
            {"learner": "mlp", "axis": "depth", "levels": [1, 2, 4, 8], "conditions": ["pgd:0.1"]},
            {"learner": "perceptron"},
        ],
    }
)
TRUTH = {
    "forest/trees": {
        "clean": {4: 0.10, 16: 0.03, 64: 0.03, 256: 0.03, 1024: 0.03},
        "noise:3": {4: 0.40, 16: 0.25, 64: 0.15, 256: 0.15, 1024: 0.15},
        "label_noise:0.2": {4: 0.3, 16: 0.12, 64: 0.12, 256: 0.12, 1024: 0.12},
        "decision:0.1": {4: 0.9, 16: 0.8, 64: 0.7, 256: 0.6, 1024: 0.5},
    },
    "mlp/depth": {
        "clean": {1: 0.03, 2: 0.03, 4: 0.03, 8: 0.03},
        "noise:3": {1: 0.2, 2: 0.12, 4: 0.12, 8: 0.12},
        "label_noise:0.2": {1: 0.2, 2: 0.12, 4: 0.08, 8: 0.063},
        "decision:0.1": {1: 0.7, 2: 0.7, 4: 0.7, 8: 0.7},
        "pgd:0.1": {1: 0.9, 2: 0.9, 4: 0.9, 8: 0.9},
    },
    "perceptron": {
        "clean": {1: 0.09},
        "noise:3": {1: 0.2},
        "label_noise:0.2": {1: 0.3},
        "decision:0.1": {1: 0.8},
    },
}


@pytest.fixture(scope="module")
def found():
    return result(SPEC, measurements(SPEC, TRUTH, replicates=12))


def shown(renderable):
    console = Console(file=io.StringIO(), width=100)
    console.print(renderable)
    return console.file.getvalue()


def part(text, heading):
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_every_search_is_seen_under_each_of_its_conditions(found):
    effects = robustness.effects(found)
    assert [(e.search, e.condition) for e in effects] == [
        ("forest/trees", "noise:3"),
        ("forest/trees", "label_noise:0.2"),
        ("forest/trees", "decision:0.1"),
        ("mlp/depth", "noise:3"),
        ("mlp/depth", "label_noise:0.2"),
        ("mlp/depth", "decision:0.1"),
        ("mlp/depth", "pgd:0.1"),
        ("perceptron", "noise:3"),
        ("perceptron", "label_noise:0.2"),
        ("perceptron", "decision:0.1"),
    ]


def test_both_scores_are_of_the_level_that_is_enough_undisturbed(found):
    effect = robustness.effects(found)[0]
    assert effect.level == found.robustness["clean"]["forest/trees"].verdict.level == 16
    assert effect.before.score == found.robustness["clean"]["forest/trees"].at(16).score
    assert effect.score == found.robustness["noise:3"]["forest/trees"].at(16).score
    assert effect.drop == pytest.approx(0.22, abs=0.01)


def test_what_is_better_when_larger_drops_the_other_way(found):
    effect = robustness.effects(found)[0]
    turned = replace(effect, clean=replace(effect.clean, direction="maximize"))
    assert turned.drop == -effect.drop


def test_where_none_is_shown_to_be_enough_it_is_what_seems_to_be_and_else_the_best(found):
    open_ended = Verdict(VerdictOutcome.INCONCLUSIVE, None, "It is open.", (16, 64))
    clean = dict(found.robustness["clean"])
    clean["forest/trees"] = replace(clean["forest/trees"], verdict=open_ended)
    unsure = replace(found, robustness=dict(found.robustness) | {"clean": clean})
    assert robustness.effects(unsure)[0].level == 16  # the comparison's
    alone = replace(unsure, comparisons_under={})
    assert robustness.effects(alone)[0].level == naming.best(clean["forest/trees"]).level


def test_sentences_say_where_sufficient_levels_differ_and_where_nothing_can_be_told(found):
    assert robustness.sentences(robustness.effects(found), "digits") == [
        "forest/trees: 16 trees are enough on clean digits, and so under label_noise:0.2; "
        "under noise:3, 64 are; under decision:0.1 even 1024 trees are not, it still rises.",
        "mlp/depth: depth 1 is enough on clean digits, and so under decision:0.1 and pgd:0.1; "
        "under noise:3, depth 2 is; under label_noise:0.2 it can't be told (4 may be).",
    ]


def answered(curve, outcome, level=None, not_excluded=()):
    return replace(curve, verdict=Verdict(outcome, level, "because", not_excluded))


@pytest.mark.parametrize(
    ("clean", "under", "said"),
    [
        (
            (VerdictOutcome.PLATEAUED, 16),
            (VerdictOutcome.INCONCLUSIVE, None, (16, 64)),
            "16 trees are enough on clean digits; under noise:3 it can't be told (16 or 64 may be)",
        ),
        (
            (VerdictOutcome.INCONCLUSIVE, None, (4, 16, 64)),
            (VerdictOutcome.PLATEAUED, 64),
            "it can't be told how many trees are enough on clean digits (4, 16 or 64 may be); "
            "under noise:3, 64 trees are enough",
        ),
        (
            (VerdictOutcome.RISING,),
            (VerdictOutcome.DECLINING, 4),
            "1024 trees are not enough on clean digits, it still rises; "
            "under noise:3, 4 trees are enough",
        ),
    ],
)
def test_every_pair_of_answers_has_its_words(found, clean, under, said):
    effect = robustness.effects(found)[0]
    changed = replace(
        effect, clean=answered(effect.clean, *clean), under=answered(effect.under, *under)
    )
    assert robustness.sentences([changed], "digits") == [f"forest/trees: {said}."]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((VerdictOutcome.DECLINING, 16), "16 trees are enough on clean digits"),
        ((VerdictOutcome.RISING,), "1024 trees are not enough on clean digits, it still rises"),
        (
            (VerdictOutcome.INCONCLUSIVE, None, (4, 16)),
            "it can't be told how many trees are enough on clean digits (4 or 16 may be)",
        ),
    ],
)
def test_the_same_answer_is_said_once(found, answer, said):
    alike = [
        replace(e, clean=answered(e.clean, *answer), under=answered(e.under, *answer))
        for e in robustness.effects(found)[:2]
    ]
    sentence = f"forest/trees: {said}, and so under noise:3 and label_noise:0.2."
    assert robustness.sentences(alike, "digits") == [sentence]


def test_data_of_ones_own_is_not_called_by_its_path(found):
    [said, *_] = robustness.sentences(robustness.effects(found), "csv:/home/ann/cells.csv")
    assert "enough on clean data, and so" in said


@pytest.mark.parametrize(
    ("open_levels", "said"), [((16,), "16?"), ((16, 64), "16 or 64?"), ((4, 16, 64), "4–64?")]
)
def test_what_may_be_enough_is_told_in_few_letters(found, open_levels, said):
    curve = robustness.effects(found)[0].clean
    open_ended = answered(curve, VerdictOutcome.INCONCLUSIVE, None, open_levels)
    assert robustness.enough(open_ended) == said


def test_a_condition_without_scores_says_so(found):
    effect = robustness.effects(found)[0]
    levels = tuple(replace(row, score=None, low=None, high=None) for row in effect.under.levels)
    lost = replace(effect, under=replace(effect.under, levels=levels))
    assert (lost.score, lost.drop) == (None, None)
    assert robustness.enough(lost.under) == "–"
    assert robustness.sentences([lost], "digits")[0].endswith("under noise:3 there is no score.")


def with_notes(found, said):
    """The same result, with a note on every curve of some conditions."""
    robust = {
        name: {k: replace(c, notes=(*c.notes, *said(name))) for k, c in curves.items()}
        for name, curves in found.robustness.items()
    }
    return replace(found, robustness=robust)


def test_notes_are_those_of_conditions_alone_each_once_a_search(found):
    masked = with_notes(found, lambda name: () if name == "clean" else ("gradients are masked",))
    said = [n for n in robustness.notes(robustness.effects(masked)) if "masked" in n]
    assert said == [
        "forest/trees under noise:3, label_noise:0.2 and decision:0.1: gradients are masked",
        "mlp/depth under noise:3, label_noise:0.2, decision:0.1 and pgd:0.1: gradients are masked",
        "perceptron under noise:3, label_noise:0.2 and decision:0.1: gradients are masked",
    ]
    assert f"- {said[0]}" in report.markdown(masked)


def test_what_is_noted_of_clean_scores_too_is_no_note_on_a_condition(found):
    alike = with_notes(found, lambda name: (f"scores are error@{name}, as measured",))
    assert not any("as measured" in n for n in robustness.notes(robustness.effects(alike)))


def test_the_section_of_the_report(found):
    text = part(report.markdown(found), "What breaks them")
    assert (
        "| search | condition | level | clean | under it | interval | drop | enough, clean | "
        "enough under it | verdict under it |"
    ) in text
    row = next(line for line in text.splitlines() if line.startswith("| forest/trees | noise:3"))
    assert row.endswith("| 16 | 64 | PLATEAUED |")
    assert "| > 1024 | RISING |" in text
    assert "- forest/trees: 16 trees are enough on clean digits, and so under" in text
    assert "- Under noise:3: mlp/depth has the best mean" in text
    assert "Under clean" not in text
    assert text.index("| search | condition") < text.index("- Under noise:3")
    assert "<td>decision:0.1</td>" in page(replace(found, curves={}))


def test_the_report_of_a_job_without_conditions_has_no_such_section(found):
    plain = replace(found, robustness={}, comparisons_under={})
    assert "What breaks them" not in report.markdown(plain)
    assert "What breaks them" not in shown(report.table(plain))
    assert report.to_dict(plain)["robustness"]["effects"] == []


def test_the_section_in_the_terminal(found):
    text = shown(report.table(found))
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    section = text.partition("What breaks them")[2]
    assert "the same test examples, 1,000 at most" in section
    line = next(line for line in section.splitlines() if " noise:3 " in line)
    assert line.split()[:3] == ["forest/trees", "noise:3", "16"]
    assert line.split()[-2:] == ["16", "64"]


def test_the_section_fits_100_columns_where_every_answer_is_open(found):
    open_ended = Verdict(VerdictOutcome.INCONCLUSIVE, None, "because", (4, 16, 64, 256, 1024))
    hard = [
        replace(
            effect,
            condition="label_noise:0.25",
            clean=replace(effect.clean, search="bag_of_features/words", verdict=open_ended),
            under=replace(effect.under, verdict=open_ended),
        )
        for effect in robustness.effects(found)
        if effect.search == "forest/trees"
    ]
    text = shown(standings.breaks(hard))
    assert "…" not in text
    assert "label_noise:0.25" in text
    assert "±" in text


def test_the_object_has_what_conditions_do(found):
    got = json.loads(json.dumps(report.to_dict(found)["robustness"], allow_nan=False))
    assert got["conditions"] == ["noise:3", "label_noise:0.2", "decision:0.1", "pgd:0.1"]
    effect = got["effects"][0]
    assert (effect["search"], effect["condition"], effect["level"]) == (
        "forest/trees",
        "noise:3",
        16,
    )
    assert effect["metric"] == "error@noise:3"
    assert (effect["clean"]["outcome"], effect["clean"]["enough"]) == ("PLATEAUED", 16)
    assert (effect["under"]["outcome"], effect["under"]["enough"]) == ("PLATEAUED", 64)
    assert effect["drop"] == pytest.approx(effect["under"]["score"] - effect["clean"]["score"])
    assert got["groups"]["decision:0.1"]
    last = got["effects"][-1]
    assert (last["search"], last["level"], last["under"]["outcome"]) == ("perceptron", None, None)


def test_what_went_to_conditions_stands_apart_in_the_bill(found):
    told = robustness.spent(found.curves["forest/trees"])
    assert told == pytest.approx(12 * 5 * 3 * 0.5)  # replicates, levels, conditions, seconds
    bill = part(report.markdown(found), "Bill")
    assert "| search | device time | of it for conditions and footprints |" in bill
    row = next(line for line in bill.splitlines() if line.startswith("| forest/trees |"))
    assert row.endswith("| 90 s |")
    spent = sum(map(robustness.spent, found.curves.values()))
    assert report.to_dict(found)["robustness"]["spent_device_seconds"] == pytest.approx(spent)
    level = report.to_dict(found)["searches"][0]["levels"][0]
    assert level["robustness_device_seconds"] == pytest.approx(12 * 3 * 0.5)


def test_what_a_model_takes_to_use_stands_beside_its_levels(found):
    text = shown(tables.levels(found.curves["forest/trees"]))
    row = next(line.split() for line in text.splitlines() if line.split()[:1] == ["16"])
    assert row[-4:] == ["2", "32", "200", "kB"]  # ms of 1, ms of 256, the size
    assert "…" not in text
    section = part(report.markdown(found), "forest, trees")
    assert "| trees | ms, 1 example | ms, 256 examples | size |" in section
    assert "| 1024 | 128 | 2,048 | 12.8 MB |" in section
    level = report.to_dict(found)["searches"][0]["levels"][1]
    assert (level["latency_ms"], level["batch_latency_ms"], level["model_bytes"]) == (2, 32, 2e5)


def test_a_level_that_breaks_a_limit_is_marked_with_the_reason_and_never_called_enough():
    spec = JobSpec.parse(SPEC.model_dump(mode="json") | {"limits": {"latency_ms": 4}})
    barred = result(spec, measurements(spec, TRUTH, replicates=12))
    rows = {row.level: row.barred for row in barred.curves["forest/trees"].levels}
    assert [level for level, why in rows.items() if why] == [64, 256, 1024]
    text = report.markdown(barred)
    section = part(text, "forest, trees")
    assert "| 64 ✗ |" in section
    assert "| 16 ✗ |" not in section
    assert f"| 64 | 8 | 128 | 800 kB | {rows[64]} |" in section
    assert "✗ breaks a limit of the job" in section
    assert naming.best(barred.curves["forest/trees"]).level == 16
    terminal = shown(report.table(barred))
    assert f"✗ trees 64 is never chosen: {rows[64]}" in " ".join(terminal.split())
    # What larger levels would gain can't be had within the limit.
    assert barred.curves["forest/trees"].verdict.outcome is VerdictOutcome.RISING
    assert "**still rising at trees 16**" in text
    assert "forest/trees still rises at 16, the largest level within the limits" in text
    assert report.to_dict(barred)["searches"][0]["levels"][2]["barred"] == rows[64]


def test_the_widest_levels_fit_100_columns_beside_what_they_take_to_use(found):
    # As wide as numbers get: four digits, a mark, a sign, a small time of three digits.
    row = CurveLevel(
        1024,
        20,
        1,
        score=0.1234,
        low=-0.1234,
        high=0.3702,
        gain=Gain(256, 1024, 0.1234, -0.1234, 0.3702, 2),
        standalone_device_seconds=0.001234,
        latency_ms=0.0123,
        batch_latency_ms=0.0123,
        model_bytes=12_345,
        barred="the model has 0.0123 MB, more than 0.01 MB",
    )
    curve = replace(found.curves["forest/trees"], axis="components", levels=(row,))
    text = shown(tables.levels(replace(curve, metric="error@label_noise:0.2")))
    assert "…" not in text
    assert "[-0.1234, +0.3702]" in text
    assert "12.3 kB" in text
    assert "0.2468" in text  # half of the score's interval


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (0, "0 B"),
        (650, "650 B"),
        (12_500, "12.5 kB"),
        (999_600, "1 MB"),
        (5e10, "50 GB"),
    ],
)
def test_sizes_are_readable(value, said):
    assert naming.size(value) == said


@pytest.mark.parametrize(
    ("value", "said"), [(None, "–"), (0.123, "0.12"), (9.96, "10"), (1234.5, "1,234")]
)
def test_milliseconds_are_readable(value, said):
    assert naming.milliseconds(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (1.0, "×1"), (1.44, "×1.4"), (9.96, "×10"), (12.4, "×12"), (1234.5, "×1,234")],
)
def test_ratios_are_readable(value, said):
    assert naming.times(value) == said
