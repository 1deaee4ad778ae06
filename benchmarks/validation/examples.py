"""Intervals where replicates are crossed with test examples, and those in clusters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.validation.rows import Figure, Row, Share, covered, stream
from tuner.curve import Question
from tuner.returns.examples import Examples, clustered
from tuner.returns.pairs import Pair, gain_level
from tuner.testing.noise import Floats

QUESTION = Question("two levels", "", "level", (1, 2), "points", "maximize", 1.0, patience=1)

SHARES = {
    "seeds alone": (1.0, 0.0, 0.0),
    "examples alone": (0.0, 1.0, 0.0),
    "residual alone": (0.0, 0.0, 1.0),
    "seeds mostly": (0.8, 0.1, 0.1),
    "examples mostly": (0.1, 0.8, 0.1),
    "residual mostly": (0.1, 0.1, 0.8),
    "all alike": (1 / 3, 1 / 3, 1 / 3),
}
"""What σ_R²/R, σ_E²/m and σ_RE²/(R·m) each have of the variance of the mean difference."""

REPLICATES = (2, 3, 5, 20)
EXAMPLES = (50, 1000)

GATED_ROWS = len(SHARES) * len(EXAMPLES) * len(REPLICATES)
STRICT = 0.01
"""The one-sided level of a ladder of six."""

CLUSTERS = {
    "50 clusters of 20": (20,) * 50,
    "50 clusters of 2 to 38": (2, 8, 20, 32, 38) * 10,
    "10 clusters of 100": (100,) * 10,
}
CLUSTER_REPLICATES = 5
WITHIN = 0.2
"""Correlation of two examples of a cluster."""


def crossed(case: str, curves: int, seed: int) -> list[Row]:
    """Returns how often the gain's interval covers it, by replicates and examples."""
    rng = stream(seed, case)
    rows = []
    for r in REPLICATES:
        for m in EXAMPLES:
            hits = strict = 0
            widths = []
            for _ in range(curves):
                pair = _pair(Examples((1, 2), _table(rng, SHARES[case], r, m)))
                widths.append(pair.uncertainty.half_width(gain_level(QUESTION)))
                hits += abs(pair.gain) <= widths[-1]
                strict += abs(pair.gain) <= pair.uncertainty.half_width(STRICT)
            figures: dict[str, Figure] = {
                "covered": covered(hits, curves, gated=True, rows=GATED_ROWS),
                "by 98 % intervals": Share(strict, curves),
                "half-width, standard errors": float(np.median(widths)),
            }
            design = f"{r} replicates, {m} examples"
            rows.append(Row("Replicates crossed with test examples", case, design, figures))
    return rows


def in_clusters(case: str, curves: int, seed: int) -> list[Row]:
    """Returns how often the gain's interval covers it, with clusters and without."""
    rng = stream(seed, case)
    sizes = CLUSTERS[case]
    names = np.repeat(np.arange(len(sizes)), sizes)
    handled = ignored = 0
    for _ in range(curves):
        values = _clustered_table(rng, names, len(sizes))
        units = clustered(values, names)
        size = len(names) / len(sizes)
        handled += _covers(_pair(Examples((1, 2), units, size=size)))
        ignored += _covers(_pair(Examples((1, 2), values)))
    figures: dict[str, Figure] = {
        "covered": covered(handled, curves, gated=True, rows=len(CLUSTERS)),
        "covered if ignored": Share(ignored, curves),
    }
    design = f"{CLUSTER_REPLICATES} replicates, {len(names)} examples"
    return [Row("Test examples in clusters", case, design, figures)]


def _pair(evidence: Examples) -> Pair:
    return evidence.measure(QUESTION).pairs[1, 2]


def _covers(pair: Pair) -> bool:
    """Tells whether the gain's interval, as an assessment makes it, covers the truth, 0."""
    return abs(pair.gain) <= pair.uncertainty.half_width(gain_level(QUESTION))


def _table(rng: np.random.Generator, shares: tuple[float, ...], r: int, m: int) -> Floats:
    """Returns scores (2, r, m) whose mean difference has mean 0 and variance 1."""
    seeds, cases, both = np.sqrt(np.array(shares) * [r, m, r * m] / 2)
    own = (
        seeds * rng.standard_normal((2, r, 1))
        + cases * rng.standard_normal((2, 1, m))
        + both * rng.standard_normal((2, r, m))
    )
    # What both levels share, lucky seeds and hard examples, must cancel.
    scores: Floats = own + rng.standard_normal((r, 1)) + 3 * rng.standard_normal(m)
    return scores


def _clustered_table(
    rng: np.random.Generator, names: npt.NDArray[np.intp], clusters: int
) -> Floats:
    """Returns scores (2, replicates, examples) with no true difference."""
    r, m = CLUSTER_REPLICATES, len(names)
    of_cluster = np.sqrt(WITHIN) * rng.standard_normal((2, 1, clusters))[:, :, names]
    of_example = np.sqrt(1 - WITHIN) * rng.standard_normal((2, 1, m))
    seeds = 0.02 * rng.standard_normal((2, r, 1))
    scores: Floats = of_cluster + of_example + seeds + rng.standard_normal((2, r, m))
    return scores
