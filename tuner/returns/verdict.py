"""The verdict, and its reason in a sentence."""

from __future__ import annotations

from dataclasses import replace

from tuner.curve import Question, Verdict, VerdictOutcome
from tuner.returns import limits, words
from tuner.returns.missing import missing
from tuner.returns.pairs import Pair
from tuner.returns.sufficiency import Sufficiency


def judge(rule: Sufficiency) -> Verdict:
    """Returns what the measured levels say.

    PLATEAUED at the smallest level that is shown to suffice; DECLINING where the
    largest measured level is moreover shown to be worse than it; RISING where
    every level below the declared top is shown not to suffice; else INCONCLUSIVE.
    "Not significant" is never read as "equal". Levels that break a limit have no say,
    and the largest one within the limits is the top.
    """
    found = _judge(rule)
    if rule.question.barred:
        found = replace(found, reason=f"{found.reason}; {limits.out(rule.question)}")
    if rule.measured.fits and found.outcome is not VerdictOutcome.INCONCLUSIVE:
        return replace(found, reason=f"{found.reason}; of these fits, not of other seeds")
    return found


def _judge(rule: Sufficiency) -> Verdict:
    level = rule.plateaued()
    if level is not None:
        worse = rule.declining(level)
        if worse is not None:
            return Verdict(VerdictOutcome.DECLINING, level, _declining(rule, level, worse))
        return Verdict(VerdictOutcome.PLATEAUED, level, _plateaued(rule, level))
    if rule.rising():
        return Verdict(VerdictOutcome.RISING, None, _rising(rule))
    return Verdict(
        VerdictOutcome.INCONCLUSIVE, None, _inconclusive(rule), rule.not_excluded(), missing(rule)
    )


def _closest(pairs: list[Pair]) -> Pair:
    """Returns the pair whose larger level comes closest to being worth its price."""
    return max(pairs, key=lambda p: p.comparison.high)


def _plateaued(rule: Sufficiency, level: float) -> str:
    question = rule.question
    pair = _closest(rule.above(level))
    return (
        f"{level} suffices: no larger measured level gains {words.rate(question)} over it "
        f"({pair.comparison.larger}: {words.number(pair.gain, '+')} for "
        f"{words.step(pair, question)}, at most {words.number(pair.gain_high, '+')}"
        f"{_priced(pair, question)}){_smaller(rule, level)}"
    )


def _priced(pair: Pair, question: Question) -> str:
    """Says what a step's price comes to; a margin per doubling is multiplied in the head."""
    return f" where {words.toll(pair)} is enough" if question.price else ""


def _declining(rule: Sufficiency, level: float, worse: Pair) -> str:
    metric = rule.question.metric
    return (
        f"{level} suffices and more does harm: {worse.comparison.larger} is worse by "
        f"{words.number(-worse.gain)} {metric}, by at least {words.number(-worse.gain_high)}"
        f"{_smaller(rule, level)}"
    )


def _smaller(rule: Sufficiency, level: float) -> str:
    """Says which smaller levels may suffice too, for a plateau doesn't exclude them."""
    open_levels = [k for k in rule.not_excluded() if k < level]
    return f"; {words.listed(open_levels)} may suffice too" if open_levels else ""


def _rising(rule: Sufficiency) -> str:
    question = rule.question
    best = [max(rule.above(k), key=lambda p: p.comparison.low) for k in rule.levels[:-1]]
    pair = min(best, key=lambda p: p.comparison.low)
    return (
        f"still rising at {rule.levels[-1]}, the largest level{_within(rule)}: over every smaller "
        f"one a larger one gains more than {words.rate(question)} "
        f"(closest, over {pair.comparison.smaller}: {words.gained(pair, question)}, "
        f"at least {words.number(pair.gain_low, '+')}{_priced(pair, question)})"
    )


def _within(rule: Sufficiency) -> str:
    return " within the limits" if rule.question.barred else ""


def _inconclusive(rule: Sufficiency) -> str:
    levels = rule.levels
    sufficient = rule.estimated()
    within = _within(rule)
    if sufficient is None:
        return f"no level{within} is measured"
    if len(rule.declared) == 1:
        if within:
            return (
                f"{sufficient} is the only level{within}, so it is the one to choose, and there is "
                "none to compare it with"
            )
        return f"{sufficient} is the only declared level: there is none to compare it with"
    if len(levels) == 1:
        return f"only {sufficient} is measured{within}: there is nothing to compare it with"
    if sufficient < levels[-1]:
        above = rule.above(sufficient)
        if rule.bounded(sufficient):
            return (
                f"{sufficient} seems to suffice, but only {words.count(len(above), 'larger level')}"
                f" is measured and patience asks for {rule.wanted(sufficient)}"
            )
        return f"{sufficient} seems to suffice, but {_may_be_worth(_closest(above), rule)}"
    if levels[-1] < rule.declared[-1]:
        return f"worth climbing so far: no measured level below {levels[-1]} seems to suffice"
    for level in levels[:-1]:
        if not rule.excluded(level):
            best = max(rule.above(level), key=lambda p: p.comparison.estimate)
            return (
                f"it seems to rise up to {levels[-1]}, but {level} may suffice: "
                f"over it {_at_least(best, rule)}"
            )
    skipped = [k for k in rule.declared if k not in levels]
    return f"every measured level below {levels[-1]} falls short, but {words.listed(skipped)} " + (
        "is not measured" if len(skipped) == 1 else "are not measured"
    )


def _may_be_worth(pair: Pair, rule: Sufficiency) -> str:
    question, c = rule.question, pair.comparison
    if pair.gain_high == float("inf"):
        return f"too few replicates bound what {c.larger} gains over it ({c.replicates})"
    return (
        f"{c.larger} may be worth having: it {words.gained(pair, question).split(' ', 1)[1]}, "
        f"at most {words.number(pair.gain_high, '+')} where {words.toll(pair)} is enough"
    )


def _at_least(pair: Pair, rule: Sufficiency) -> str:
    question, c = rule.question, pair.comparison
    if pair.gain_low == float("-inf"):
        return f"too few replicates bound what {c.larger} gains ({c.replicates})"
    return (
        f"{words.gained(pair, question)}, at least {words.number(pair.gain_low, '+')} "
        f"where {words.toll(pair)} is enough"
    )
