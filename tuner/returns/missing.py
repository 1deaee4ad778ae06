"""What would settle an inconclusive verdict."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.curve import Needed, Verdict, VerdictOutcome
from tuner.returns import words
from tuner.returns.bounds import EQUAL_PAIRS
from tuner.returns.crossed import Crossed
from tuner.returns.designs import FIXED, Resampled, fewest_replicates, replicates_needed
from tuner.returns.pairs import Pair, pair_level
from tuner.returns.sufficiency import Sufficiency
from tuner.returns.uncertainty import OfReplicates


def missing(rule: Sufficiency) -> tuple[str, ...]:
    """Returns sentences that say what would settle the verdict.

    Levels first, then replicates: where the estimates say that a level below the
    top suffices, of its pairs that aren't bounded; where they say that none does,
    of each level that isn't excluded with the larger one that gains most over it.
    """
    return (*_levels(rule), *(_more(pair, rule) for pair in _open_pairs(rule)))


def needed(rule: Sufficiency, verdict: Verdict) -> Needed:
    """Returns how much measuring would likely settle the verdict; nothing where it stands."""
    if verdict.outcome is not VerdictOutcome.INCONCLUSIVE:
        return Needed()
    pairs = _open_pairs(rule)
    reason = "; ".join(verdict.missing)
    if not pairs:
        return Needed(reason=reason)
    ends = [_End.of(pairs, rule, gains) for gains in (True, False)]
    replicates = sorted((e.replicates for e in ends), key=lambda n: (n is None, n or 0))
    examples = [e.examples for e in ends if e.examples is not None]
    have = min(pair.comparison.replicates for pair in pairs)
    # What there is already can't be what is missing.
    open_ended = [None if n is None else max(n, have + 1) for n in replicates]
    lowest, highest = open_ended
    return Needed(
        replicates=None if lowest is None else (lowest, highest),
        examples=max(examples) if len(examples) == len(ends) else None,
        reason=reason,
    )


@dataclass(frozen=True)
class _End:
    """One end of the range: the most that any open pair needs; None where one can't be had."""

    replicates: int | None
    examples: int | None

    @classmethod
    def of(cls, pairs: list[Pair], rule: Sufficiency, estimated: bool) -> _End:
        """Takes the gains as estimated, or as none at all."""
        level = pair_level(rule.question)
        replicates: list[int | None] = []
        examples: list[int | None] = []
        for pair in pairs:
            if not pair.uncertainty.known:
                replicates.append(_least(pair, rule) if estimated else None)
                examples.append(None)
                continue
            distance = abs(pair.comparison.estimate if estimated else pair.toll)
            replicates.append(pair.uncertainty.replicates_needed(distance, level))
            examples.append(pair.uncertainty.examples_needed(distance, level))
        return cls(_most(replicates), _most(examples))


def _most(numbers: list[int | None]) -> int | None:
    known = [n for n in numbers if n is not None]
    return max(known) if known and len(known) == len(numbers) else None


def _levels(rule: Sufficiency) -> list[str]:
    declared, levels = rule.declared, rule.levels
    if rule.question.barred and len(declared) < 2:
        return [_limits(rule)]
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
        patience = rule.wanted(sufficient)
        if larger < patience:
            sentences.append(
                f"the ladder has {words.count(larger, 'level')} above {sufficient} and patience "
                f"asks for {patience}: declare a larger one"
            )
    return sentences


def _limits(rule: Sufficiency) -> str:
    """Says which limits leave too few levels, and by how much they are broken at the lowest."""
    how = "; ".join(f"{level}: {said}" for level, said in rule.question.barred[:1])
    left = "no level" if not rule.declared else "one level"
    return f"the limits leave {left} ({how}): declare smaller levels, or looser limits"


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


def _least(pair: Pair, rule: Sufficiency) -> int | None:
    """Returns the fewest replicates that could bound anything, where no spread is known."""
    level, uncertainty = pair_level(rule.question), pair.uncertainty
    if isinstance(uncertainty, Crossed):
        return None
    least = 2
    if isinstance(uncertainty, OfReplicates):
        least = fewest_replicates(uncertainty.design, level)
    # Two say nothing of the spread only where they are equal.
    return max(least, EQUAL_PAIRS) if pair.comparison.replicates >= 2 else least


def _more(pair: Pair, rule: Sufficiency) -> str:
    c, uncertainty = pair.comparison, pair.uncertainty
    between = f"{c.smaller} against {c.larger}"
    if not uncertainty.known:
        least = _least(pair, rule)
        if least is None:
            return f"{between}: examples on which some score differs from another; here none does"
        return f"{between}: at least {least} replicates of both, there are {c.replicates}"
    level, distance = pair_level(rule.question), abs(c.estimate)
    wanted = uncertainty.replicates_needed(distance, level)
    examples = uncertainty.examples_needed(distance, level)
    ways = []
    if wanted is not None:
        ways.append(f"about {words.count(max(wanted - c.replicates, 1), 'more replicate')}")
    if examples is not None and isinstance(uncertainty, Crossed):
        more = max(examples - round(uncertainty.examples * uncertainty.size), 1)
        ways.append(f"about {words.count(more, 'more test example')}")
    if ways:
        return f"{between}: {' or '.join(ways)} at the present spread"
    return f"{between}: not by replicates: {_hopeless(pair, rule)}"


def _hopeless(pair: Pair, rule: Sufficiency) -> str:
    """Says why no number of replicates would settle a pair."""
    uncertainty, level = pair.uncertainty, pair_level(rule.question)
    distance = abs(pair.comparison.estimate)
    if isinstance(uncertainty, OfReplicates) and isinstance(uncertainty.design, Resampled):
        if replicates_needed(FIXED, distance, uncertainty.spread, level) is not None:
            return "however many, splits of the same data bound no more"
    elif isinstance(uncertainty, Crossed) and uncertainty.replicates > 1 and distance > 0:
        return "neither more of them nor more test examples would do alone"
    return f"the gain is within noise of the {words.bar(rule.question)}"
