"""What would settle an inconclusive verdict."""

from __future__ import annotations

import math

from tuner.returns import words
from tuner.returns.bounds import EQUAL_PAIRS, fewest_replicates, replicates_needed
from tuner.returns.pairs import Pair, pair_level
from tuner.returns.sufficiency import Sufficiency


def missing(rule: Sufficiency) -> tuple[str, ...]:
    """Returns sentences that say what would settle the verdict.

    Levels first, then replicates: where the estimates say that a level below the
    top suffices, of its pairs that aren't bounded; where they say that none does,
    of each level that isn't excluded with the larger one that gains most over it.
    """
    return (*_levels(rule), *(_replicates(pair, rule) for pair in _open_pairs(rule)))


def _levels(rule: Sufficiency) -> list[str]:
    declared, levels = rule.question.levels, rule.levels
    if len(declared) == 1:
        return ["the ladder has one level: returns need at least two"]
    if not levels:
        return ["no level is measured"]
    sentences = []
    skipped = [k for k in declared if k < levels[-1] and k not in levels]
    if skipped:
        verb = "level {} is" if len(skipped) == 1 else "levels {} are"
        sentences.append(verb.format(words.listed(skipped)) + " not measured")
    if levels[-1] < declared[-1]:
        sentences.append(f"levels above {levels[-1]} are not measured")
    sufficient = rule.estimated()
    if sufficient is not None and sufficient < levels[-1] and not rule.patient(sufficient):
        larger = len([k for k in declared if k > sufficient])
        patience = rule.question.patience
        if larger < patience:
            sentences.append(
                f"the ladder has {words.count(larger, 'level')} above {sufficient} and patience "
                f"asks for {patience}: declare a larger one"
            )
    return sentences


def _open_pairs(rule: Sufficiency) -> list[Pair]:
    sufficient = rule.estimated()
    if sufficient is None:
        return []
    if sufficient < rule.levels[-1]:
        return [p for p in rule.above(sufficient) if not p.comparison.high < 0]
    return [
        max(rule.above(k), key=lambda p: p.comparison.estimate)
        for k in rule.levels[:-1]
        if not rule.excluded(k)
    ]


def _replicates(pair: Pair, rule: Sufficiency) -> str:
    c = pair.comparison
    between = f"{c.smaller} against {c.larger}"
    level = pair_level(rule.question)
    if math.isinf(pair.spread):
        least = fewest_replicates(level)
        if pair.equal:
            least = max(least, EQUAL_PAIRS)
        return f"{between}: at least {least} replicates of both, there are {c.replicates}"
    needed = replicates_needed(abs(c.estimate), pair.spread, level)
    if needed is None:
        return f"{between}: not by replicates: the gain is within noise of the margin"
    more = max(needed - c.replicates, 1)
    return f"{between}: about {words.count(more, 'more replicate')} at the present spread"
