"""What is said of things to come: replicates needed, chances of levels, the next doubling."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from benchmarks.validation.rows import ALPHA, Figure, Row, Share, stream
from benchmarks.validation.verdicts import look
from tuner.curve import VerdictOutcome
from tuner.record import Comparison
from tuner.returns.assessment import Assessment
from tuner.returns.designs import FIXED, MOST_REPLICATES, replicates_needed
from tuner.returns.evidence import Replicates
from tuner.returns.extrapolation import next_doubling
from tuner.returns.pairs import pair_level
from tuner.returns.probabilities import level_probabilities
from tuner.testing.noise import Floats, Noise
from tuner.testing.truths import FEW, SIX, Case, Truth

NOISY = 1.5
"""Paired deviation, in margins, with which a few replicates seldom decide anything."""

PILOTS = (5, 10)

NEEDED = {
    "two levels, no gain": Case("needed, 0", FEW["two levels, no gain"], Noise(NOISY), 1),
    "two levels, half a margin": Case("needed, .5", Truth.of_gains(0.5), Noise(NOISY), 1),
    "two levels, 2 margins": Case("needed, 2", Truth.of_gains(2), Noise(NOISY), 1),
    "six levels, no gain": Case("needed, none", SIX["no gain"], Noise(NOISY)),
    "six levels, plateau late": Case("needed, late", SIX["plateau late"], Noise(NOISY)),
}

NUMBERS = (5, 10, 20)
DRAWS = 2000
SPREAD_OF_GAINS = 1.0
TRUTHS_A_CURVE = 5
"""Truths drawn for each curve that is asked for: most levels' chances are near 0 or 1."""

BINS = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0)

LAWS: dict[str, Callable[[Floats], Floats]] = {
    "log-linear": lambda c: 2 * np.log2(c),
    "power law": lambda c: -10 * c**-0.5,
    "exponential": lambda c: -10 * np.exp(-c / 12),
    "at rest from the third level on": lambda c: 3 * np.minimum(np.log2(c), 2.0),
    "S-curve": lambda c: 10 / (1 + np.exp(4 - 1.5 * np.log2(c))),
    "flat, then a step": lambda c: 5.0 * (c >= c.max()),
}
"""Mean scores by capacity, in margins; the last capacity is the one to predict."""

LADDERS = (4, 6, 8)
EXTRAPOLATED_FROM = 10


def needed(name: str, curves: int, seed: int) -> list[Row]:
    """Returns how many undecided curves are decided by as many replicates as `needed` names.

    At the end of its range where the estimated gains are right, with the number fixed.
    """
    case = NEEDED[name]
    tables = list(case.curves(curves, MOST_REPLICATES, seed))
    rows = []
    if len(case.truth.levels) == 2:
        distance = abs(case.truth.worth(2.0) - case.truth.worth(1.0))
        n = replicates_needed(FIXED, distance, NOISY, pair_level(case.question))
        assert n is not None
        decided = sum(_decided(look(case, scores, n, FIXED)) for scores in tables)
        rows.append(_needed_row(name, "from the truth", decided, [n] * curves, curves, curves))
    for pilot in PILOTS:
        numbers, decided, undecided = [], 0, 0
        for scores in tables:
            found = look(case, scores, pilot, FIXED)
            if _decided(found):
                continue
            undecided += 1
            number = _estimated_end(case, scores, pilot, found)
            if number is not None:
                numbers.append(number)
                decided += _decided(look(case, scores, number, FIXED))
        design = f"from {pilot} replicates"
        rows.append(_needed_row(name, design, decided, numbers, undecided, curves))
    return rows


def probabilities(replicates: int, curves: int, seed: int) -> list[Row]:
    """Returns how often a level was the one that suffices, by the chance it was given.

    Gains are drawn at random around the margin.
    """
    rng = stream(seed, "probabilities")
    said, so = [], []
    for _ in range(TRUTHS_A_CURVE * curves):
        truth = Truth.of_gains(*rng.normal(1.0, SPREAD_OF_GAINS, 5).tolist())
        case = Case("random gains", truth)
        scores = np.asarray(truth.means)[:, None] + case.noise.draw(rng, 6, max(NUMBERS))
        numbers = tuple(range(replicates))
        evidence = Replicates(truth.levels, numbers, scores[:, :replicates])
        chances = level_probabilities(case.question, evidence, draws=DRAWS)
        assert chances is not None
        said += list(chances.values())
        so += [level == truth.sufficient() for level in chances]
    place = np.clip(np.digitize(said, BINS) - 1, 0, len(BINS) - 2)
    rows = []
    for i, (low, high) in enumerate(itertools.pairwise(BINS)):
        here = place == i
        n = int(here.sum())
        figures: dict[str, Figure] = {
            "levels": str(n),
            "chance said": f"{100 * np.asarray(said)[here].mean():.1f} %" if n else "–",
            "was so": Share(int(np.asarray(so)[here].sum()), n),
        }
        span = f"chance of {100 * low:.0f} to {100 * high:.0f} %"
        rows.append(Row("Level probabilities", span, f"{replicates} replicates", figures))
    return rows


def extrapolation(law: str, curves: int, seed: int) -> list[Row]:
    """Returns how often the next doubling's gain lay in its interval, and the errors."""
    rows = []
    for k in LADDERS:
        capacities = np.logspace(0, k, k + 1, base=2.0)
        means = LAWS[law](capacities)
        case = Case(f"{law}, {k}", Truth(tuple(capacities[:-1]), tuple(means[:-1].tolist())))
        truth = float(means[-1] - means[-2])
        hits = beats = 0
        errors, widths = [], []
        for scores in case.curves(curves, EXTRAPOLATED_FROM, seed):
            found = look(case, scores, EXTRAPOLATED_FROM)
            doubling = next_doubling(
                found.levels,
                [found.means[level] for level in found.levels],
                "maximize",
                ALPHA,
                [found.errors[level] for level in found.levels],
            )
            assert doubling is not None
            hits += doubling.low <= truth <= doubling.high
            beats += doubling.beats_no_gain
            errors.append(doubling.gain - truth)
            widths.append((doubling.high - doubling.low) / 2)
        figures: dict[str, Figure] = {
            "covered": Share(hits, curves),
            "half-width": float(np.median(widths)),
            "beats no gain": Share(beats, curves),
            "true gain": truth,
            "typical error": float(np.sqrt(np.mean(np.square(errors)))),
        }
        rows.append(Row("The next doubling, in margins", law, f"{k} levels", figures))
    return rows


def _decided(found: Assessment) -> bool:
    return found.verdict.outcome is not VerdictOutcome.INCONCLUSIVE


def _estimated_end(case: Case, scores: Floats, n: int, found: Assessment) -> int | None:
    """Returns the end of `needed` where the estimated gains are right, taken anew.

    Raises:
        AssertionError: `needed` doesn't name it.
    """
    question = case.question
    numbers = tuple(range(n))
    pairs = Replicates(found.levels, numbers, scores[:, :n], FIXED).measure(question).pairs
    wanted = [
        pairs[c.smaller, c.larger].uncertainty.replicates_needed(
            abs(c.estimate), pair_level(question)
        )
        for c in _open(found)
    ]
    if not wanted or None in wanted:
        return None
    number = max(n + 1, *(w for w in wanted if w is not None))
    assert found.needed.replicates is not None
    assert number in found.needed.replicates, (number, found.needed)
    return number


def _open(found: Assessment) -> list[Comparison]:
    """Returns the comparisons that the answer hangs on."""
    by_level = {k: [c for c in found.comparisons if c.smaller == k] for k in found.levels[:-1]}
    sufficient = found.estimated_sufficient
    if sufficient in by_level:
        return [c for c in by_level[sufficient] if not c.high < 0]
    return [
        max(above, key=lambda c: c.estimate)
        for above in by_level.values()
        if not any(c.low > 0 for c in above)
    ]


def _needed_row(
    name: str, design: str, decided: int, numbers: list[int], undecided: int, curves: int
) -> Row:
    figures: dict[str, Figure] = {
        "undecided before": Share(undecided, curves),
        "no number would do": Share(undecided - len(numbers), undecided),
        "replicates, median": float(np.median(numbers)) if numbers else "–",
        "then decided": Share(decided, len(numbers)),
    }
    return Row("Replicates needed, and whether they decide", name, design, figures)
