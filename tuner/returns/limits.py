"""Which levels break a limit, and which are left to choose from.

A limit says what a model must not exceed where it is used: how long it predicts, how large
it is. A level that exceeds one is *barred*: it is shown, and it is neither an answer nor
compared with one. The verdict is of the rest of the ladder.

Clocks and sizes tell what is barred, scores don't. So the hypotheses about what is left are
a part of the declared ladder's, picked without a look at the scores that they are tested
on, and its alpha/(K-1) holds for them. K stays the declared ladder's: a smaller one would be
valid too, but would move every bound on the day when a model is found too slow. Sizes that
follow from what a model learnt, a forest's say, are as good as independent of scores but
where they lie about at the limit.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from tuner.curve import Limits, Question
from tuner.record import FOOTPRINT, Measurement
from tuner.returns import words
from tuner.returns.rows import LevelRows

MEGABYTE = 1e6


@dataclass(frozen=True)
class Needs:
    """What it takes to use a level's models; None where no replicate tells it.

    Attributes:
        latency_ms: Milliseconds of a prediction of one example: the least over replicates
            of each one's median, for what else runs on a machine only ever adds.
        batch_latency_ms: The same of 256 examples at once.
        model_bytes: The saved model's size: the mean over replicates.
    """

    latency_ms: float | None = None
    batch_latency_ms: float | None = None
    model_bytes: float | None = None


def needs_of(rows: Iterable[Measurement]) -> Needs | None:
    """Returns what a level's models need; None where none of its rows tells anything of it.

    Rows without a score count as well: a model that an attack timed out on predicts as fast.
    A model that couldn't be saved has latencies and no size.
    """
    told = [row.footprint for row in rows if row.footprint is not None]
    sizes = [f.model_bytes for f in told if f.model_bytes is not None]
    if not told:
        return None
    return Needs(
        latency_ms=min(f.latency_ms for f in told),
        batch_latency_ms=min(f.batch_latency_ms for f in told),
        model_bytes=math.fsum(sizes) / len(sizes) if sizes else None,
    )


def broken(limits: Limits, needs: Needs | None) -> str:
    """Says which limits a level breaks; "" where none, or where its needs aren't known."""
    needs = needs or Needs()
    size = None if needs.model_bytes is None else needs.model_bytes / MEGABYTE
    held = (
        ("a prediction takes {} ms, more than {} ms", needs.latency_ms, limits.latency_ms),
        (
            "256 predictions at once take {} ms, more than {} ms",
            needs.batch_latency_ms,
            limits.batch_latency_ms,
        ),
        ("the model has {} MB, more than {} MB", size, limits.model_mb),
    )
    return "; ".join(
        said.format(*_apart(value, most))
        for said, value, most in held
        if value is not None and most is not None and value > most
    )


def _known(limits: Limits, needs: Needs | None) -> bool:
    """Tells whether a level's models tell all that is limited."""
    needs = needs or Needs()
    held = (
        (needs.latency_ms, limits.latency_ms),
        (needs.batch_latency_ms, limits.batch_latency_ms),
        (needs.model_bytes, limits.model_mb),
    )
    return all(value is not None for value, most in held if most is not None)


def _apart(value: float, most: float) -> tuple[str, str]:
    """Returns two numbers with as many digits as it takes to see that they differ."""
    limit = f"{most:.15g}"
    found = (f"{value:.{digits}g}" for digits in range(3, 18))
    return next((said for said in found if float(said) > most), repr(value)), limit


def limited(question: Question) -> bool:
    """Tells whether a model must not exceed anything."""
    return question.limits != Limits()


def barred_of(
    question: Question, rows: Mapping[int, Iterable[Measurement]]
) -> tuple[tuple[int, str], ...]:
    """Returns the levels that break a limit, rising, with how.

    Args:
        question: What is asked.
        rows: By level, the measuring rows of what stands for it.
    """
    if not limited(question):
        return ()
    found = ((level, broken(question.limits, needs_of(rows[level]))) for level in sorted(rows))
    return tuple((level, how) for level, how in found if how)


def within_limits(question: Question, measuring: Mapping[int, LevelRows]) -> Question:
    """Returns the question with the levels that break its limits, by what was measured."""
    return question.with_barred(
        barred_of(question, {level: chosen.rows for level, chosen in measuring.items()})
    )


def judged(question: Question, levels: Iterable[float]) -> tuple[float, ...]:
    """Returns those levels that aren't barred."""
    out = {level for level, _ in question.barred}
    return tuple(level for level in levels if level not in out)


def ceiling(question: Question, measured: Collection[float]) -> float:
    """Returns the level from which on nothing is tried; inf without one.

    Capacity makes models slower and larger, or leaves them as they are (more epochs, more
    training examples of a network), so what lies above a barred level would break the
    limit, too. Where a measured level above it keeps the limits, that isn't so here: the
    axis is another, or the clock was wrong. So it is the lowest barred level above which
    no measured one keeps them.

    Args:
        question: What is asked, with the levels that are barred.
        measured: Levels that have a score. One that tells no latency or size counts as
            keeping the limits, as it does where levels are judged.
    """
    kept = max(judged(question, measured), default=-math.inf)
    return min((level for level, _ in question.barred if level > kept), default=math.inf)


def ladder(question: Question, measured: Collection[float]) -> tuple[float, ...]:
    """Returns the declared levels that may be chosen.

    Those that aren't barred and are measured, or may still be: they lie below the ceiling.
    """
    top = ceiling(question, measured)
    return tuple(k for k in judged(question, question.levels) if k < top)


def larger_wanted(question: Question, measured: Collection[float], level: float) -> int:
    """Returns how many larger levels must be measured before a level can be enough.

    As many as patience asks for. Where a larger level is barred, no more than there are
    within the limits: a late step that patience would wait for couldn't be taken.
    """
    patience = max(question.patience, 1)
    if not any(k > level for k, _ in question.barred):
        return patience
    larger = sum(k > level for k in ladder(question, measured))
    return max(1, min(patience, larger))


def out(question: Question) -> str:
    """Says which levels are out, "8 and 16 break a limit and aren't judged"; "" where none is."""
    if not question.barred:
        return ""
    levels = [level for level, _ in question.barred]
    verbs = "breaks a limit and isn't judged", "break a limit and aren't judged"
    return f"{words.listed(levels)} {verbs[len(levels) > 1]}"


def limit_notes(question: Question, measuring: Mapping[int, LevelRows]) -> list[str]:
    """Says what wasn't tried because of a limit, and of which levels nothing is known.

    Args:
        question: What is asked, with the levels that are barred.
        measuring: The rows of what stands for each level.
    """
    if not limited(question):
        return []
    notes = [
        f"level {level} isn't judged: {how}" if question.axis else f"it breaks a limit: {how}"
        for level, how in question.barred
    ]
    top = ceiling(question, [k for k, chosen in measuring.items() if chosen.completed])
    untried = [k for k in question.levels if k > top and k not in measuring]
    if untried:
        noun, verb = ("level", "wasn't") if len(untried) == 1 else ("levels", "weren't")
        notes.append(
            f"{noun} {words.listed(untried)} {verb} tried: {top} breaks a limit already, and "
            "capacity makes no model faster or smaller"
        )
    needs = {level: needs_of(measuring[level].rows) for level in sorted(measuring)}
    unknown = [k for k, told in needs.items() if not _known(question.limits, told)]
    why = _why_untold(measuring[level] for level in unknown)
    if unknown and not any(needs.values()):
        notes.append(
            "the limits couldn't be judged: no replicate tells how long its model predicts, or "
            f"how large it is{why}; nothing is barred"
        )
    elif unknown:
        noun = "level" if len(unknown) == 1 else "levels"
        notes.append(
            f"{noun} {words.listed(unknown)}: whether the limits are kept isn't known, for no "
            f"replicate tells all that is limited{why}; what isn't told counts as kept"
        )
    return notes


def _why_untold(levels: Iterable[LevelRows]) -> str:
    """Returns the first reason that a model's latency or size wasn't told, in brackets."""
    errors = (
        stress.error
        for chosen in levels
        for row in chosen.rows
        for stress in row.stresses
        if stress.condition == FOOTPRINT and stress.error
    )
    first = next(errors, "")
    return first and f" ({first})"
