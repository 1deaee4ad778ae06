"""How learners compare, and what breaks them, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuner.catalog import CLEAN
from tuner.curve import LearnerComparison
from tuner.report import naming, ranking, robustness, sentences
from tuner.report.cells import listed, table
from tuner.report.ranking import Rank, Ranking
from tuner.report.robustness import Effect

if TYPE_CHECKING:
    from tuner.client.result import Result

MANY = 6
"""With more learners than this, the report has not all pairs of them. The object has."""


def learners(result: Result) -> list[str]:
    """Returns the ranking and the differences; nothing where no two learners can be compared."""
    comparison, ranked = result.comparison, ranking.rank(result)
    if comparison is None or ranked is None:
        return []
    lines = [
        "",
        "## Learners compared",
        "",
        f"**{comparison.reason}**",
        "",
        f"Each at its own sufficient level (with a question mark where that wasn't shown), on the "
        f"same replicates. A difference below {comparison.margin:g} {comparison.metric} doesn't "
        "matter. Those that share a letter can't be told apart; the one in bold is the cheapest "
        "that is good enough.",
        "",
        *_ranking(ranked),
    ]
    if ranked.conditions:
        lines += ["", f"Behind “under”: {ranked.metric} at the same level under that condition."]
    lines += ["", *_differences(comparison)]
    if any(d.practically_equal is not None for d in comparison.differences):
        lines += ["", "*Equal* is a difference below the margin, *more* is one above it."]
    if alike := sentences.alike(comparison):
        lines += ["", " ".join(alike)]
    if ranked.left_out:
        lines += ["", f"Without a place, for want of scores: {', '.join(ranked.left_out)}."]
    return lines + listed("Notes:", comparison.notes)


def _ranking(ranked: Ranking) -> list[str]:
    under = [name if name == CLEAN else f"under {name}" for name in ranked.conditions]
    header = ("group", "search", "level", ranked.metric, "interval", "cost of a fit", "× cheapest")
    rows = [
        (
            rank.letters,
            f"**{rank.search}**" if rank.good_enough else rank.search,
            level(rank),
            naming.number(rank.score),
            naming.interval(rank.low, rank.high),
            naming.seconds(rank.cost),
            naming.times(rank.ratio),
            *(naming.number(rank.under[name]) for name in ranked.conditions),
        )
        for rank in ranked.ranks
    ]
    return table((*header, *under), rows, "llrrrrr" + "r" * len(under))


def level(rank: Rank) -> str:
    """Returns the level that a search is compared at, with what is to be known of it; a dash."""
    if rank.level is None:
        return "–"
    return naming.level(rank.level) + ("" if rank.shown else "?")


def _differences(comparison: LearnerComparison) -> list[str]:
    """Returns the differences of all pairs; of many learners, to the two that matter."""
    shown = comparison.differences
    if len(comparison.contenders) > MANY:
        matter = {comparison.contenders[0].search, comparison.good_enough}
        shown = tuple(d for d in shown if matter & {d.better, d.worse})
    chances = ("chance of equal", "chance of more")
    header = ("better", "worse", "difference", "interval", "replicates", *chances)
    rows = (
        (
            d.better,
            d.worse,
            naming.number(d.estimate),
            naming.interval(d.low, d.high, plus=True),
            str(d.replicates),
            naming.probability(d.practically_equal),
            naming.probability(d.practically_better),
        )
        for d in shown
    )
    return table(header, rows, "llrrrrr")


def breaks(result: Result) -> list[str]:
    """Returns what breaks the learners; nothing where the job asked for no condition."""
    found = robustness.effects(result)
    if not found:
        return []
    spec = result.job.spec
    # Of several metrics each search's own stands beside its key.
    metrics = {effect.search: effect.clean.metric.partition("@")[0] for effect in found}
    one = len(set(metrics.values())) == 1
    names = {key: key if one else f"{key} ({metric})" for key, metric in metrics.items()}
    lines = [
        "",
        "## What breaks them",
        "",
        f"Every search with nothing disturbed, and under each condition, at the level that is "
        f"enough without it (where none is shown to be, at its best): the same replicates, the "
        f"same test examples, {spec.robustness.examples:,} at most, on which alone it is judged "
        "here what is enough"
        + (f"; {next(iter(metrics.values()))}. " if one else ". ")
        + "*Drop* is how much worse it is under the condition. Hyperparameters are those that were "
        "chosen for what each search is judged on.",
        "",
        *_effects(found, names),
    ]
    said = robustness.sentences(found, naming.dataset_name(spec.dataset))
    lines += listed("How much is enough, undisturbed and under them:", said)
    reasons = [
        f"Under {name}: {comparison.reason}."
        for name, comparison in result.comparisons_under.items()
        if name != CLEAN
    ]
    lines += listed("How they compare under them, each at the level that is enough there:", reasons)
    return lines + listed("Notes:", robustness.notes(found))


def _effects(found: Sequence[Effect], names: dict[str, str]) -> list[str]:
    header = ("search", "condition", "level", "clean", "under it", "interval", "drop")
    verdicts = ("enough, clean", "enough under it", "verdict under it")
    rows = []
    for effect in found:
        after, verdict = effect.after, effect.under.verdict
        rows.append(
            (
                names[effect.search],
                effect.condition,
                naming.level(effect.level) if effect.clean.axis else "–",
                naming.number(effect.before.score),
                naming.number(effect.score),
                naming.interval(after.low, after.high) if after is not None else "–",
                naming.number(effect.drop, plus=True),
                robustness.enough(effect.clean),
                robustness.enough(effect.under),
                verdict.outcome.value if verdict is not None else "–",
            )
        )
    return table((*header, *verdicts), rows, "llrrrrrrrl")
