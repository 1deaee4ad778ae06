"""What ten ways to fool oneself cost, each measured: the figures of docs/returns.md.

    python benchmarks/fooling.py [--quick]

Simulated ones draw paired replicates whose difference has a standard deviation of
half a margin, beside a luck that levels share; the trained ones are networks of
scikit-learn on its handwritten digits. Published figures are He et al. 2015 (arXiv
1512.03385, table 6: error in percent by depth of CIFAR-10's ResNets) and
torchvision's V1 weights (top-1 accuracy in percent by depth of ImageNet's ResNets).
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterator

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is loaded

import numpy as np
from scipy import optimize, stats

from tuner.returns import analyze, knee, paired_bounds

CIFAR_DEPTHS = (20, 32, 44, 56, 110, 1202)
CIFAR_ERRORS = (8.75, 7.51, 7.17, 6.97, 6.43, 7.93)
IMAGENET_DEPTHS = (18, 34, 50, 101, 152)
IMAGENET_TOP1 = (69.758, 73.314, 76.130, 77.374, 78.312)

Finding = tuple[str, str]


def tuned_at_depth_one(quick: bool) -> Finding:
    """Trains networks of several depths at every rate."""
    from sklearn.datasets import load_digits
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    for category in (ConvergenceWarning, RuntimeWarning):  # short training, and divergence
        warnings.simplefilter("ignore", category)
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x / 16, y, test_size=0.4, stratify=y, random_state=0)
    depths, rates = (1, 2, 4, 6), (0.01, 0.03, 0.1, 0.3)
    seeds = 2 if quick else 6

    def one(depth: int, rate: float, seed: int) -> float:
        net = MLPClassifier(
            (16,) * depth, solver="sgd", learning_rate_init=rate, max_iter=40, random_state=seed
        )
        try:
            net.fit(x, y)
        except ValueError:  # it diverged
            return 90.0  # one of ten digits, by chance
        return float(100 * (1 - net.score(x_test, y_test)))

    def error(depth: int, rate: float) -> float:
        return float(np.mean([one(depth, rate, seed) for seed in range(seeds)]))

    table = {(depth, rate): error(depth, rate) for depth in depths for rate in rates}
    first = min(rates, key=lambda rate: table[1, rate])
    kept = [f"{table[depth, first]:.1f}" for depth in depths]
    again = [f"{min(table[depth, rate] for rate in rates):.1f}" for depth in depths]
    return (
        "a rate tuned at depth 1",
        f"digits, depth {', '.join(map(str, depths))}: error {', '.join(kept)} % at depth 1's "
        f"rate ({first:g}), {', '.join(again)} % with the rate tuned again",
    )


def best_of_seeds(rng: np.random.Generator, runs: int) -> Finding:
    best = rng.normal(size=(runs, 5)).max(axis=1).mean()
    return (
        "best of seeds",
        f"the best of 5 is {best:.2f} standard deviations above the mean; He et al. print 6.43 % "
        "as the best of five whose mean is 6.61 %",
    )


def unpaired(rng: np.random.Generator, runs: int) -> Finding:
    luck = rng.normal(0, 1.0, (runs, 10))
    a, b = (luck + rng.normal(0, 0.5 / np.sqrt(2), (runs, 10)) for _ in range(2))
    paired = stats.ttest_rel(b, a, axis=1).confidence_interval()
    welch = stats.ttest_ind(b, a, axis=1, equal_var=False).confidence_interval()
    ratio = np.median(welch.high - welch.low) / np.median(paired.high - paired.low)
    return (
        "unpaired tests",
        f"with a luck of one margin that levels share, the unpaired interval of 10 replicates is "
        f"{ratio:.1f} times as wide",
    )


def not_significant(rng: np.random.Generator, runs: int) -> Finding:
    gains = 1.2 + rng.normal(0, 0.5, (runs, 3))
    missed = (stats.ttest_1samp(gains, 0.0, axis=1).pvalue > 0.05).mean()
    return (
        "“not significant” read as “equal”",
        f"with 3 seeds, a gain of 1.2 margins isn't significant in {missed:.0%} of sweeps",
    )


def peeking(rng: np.random.Generator, runs: int) -> Finding:
    gains = rng.normal(0, 1.0, (runs, 50))
    plain, ours = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=bool)
    for n in range(3, 51):
        plain |= stats.ttest_1samp(gains[:, :n], 0.0, axis=1).pvalue < 0.05
    for i, row in enumerate(gains[: runs // 10]):
        bounds = (paired_bounds(row[:n], 0.025) for n in range(3, 51))
        ours[i] = any(low > 0 or high < 0 for _, low, high in bounds)
    return (
        "peeking",
        f"a t-test after every seed from 3 to 50 finds a gain that isn't there in "
        f"{plain.mean():.0%} of sweeps; the anytime-valid bound in {ours[: runs // 10].mean():.1%}",
    )


def knee_on_raw_axes() -> Finding:
    found = [knee(CIFAR_DEPTHS[:n], CIFAR_ERRORS[:n], "minimize") for n in (4, 5, 6)]
    named = ", ".join(
        f"{level:g} of 20 to {CIFAR_DEPTHS[n]}" for level, n in zip(found, (3, 4, 5), strict=True)
    )
    return "the knee on raw axes", f"ResNets' knee: {named}"


def forced_monotonicity() -> Finding:
    smooth = optimize.isotonic_regression(CIFAR_ERRORS, increasing=False).x
    curve = analyze(
        {"depth": CIFAR_DEPTHS, "error": CIFAR_ERRORS},
        level="depth",
        score="error",
        direction="minimize",
        margin=0.5,
        noise=0.16,
        noise_runs=5,
    )
    gain = curve.gains[-1]
    return (
        "forced monotonicity",
        f"a monotone fit of ResNets says {smooth[-2]:.2f} % at 110, {smooth[-1]:.2f} % at 1202; "
        f"in truth 1202 is worse by {-gain.estimate:.2f} points "
        f"[{-gain.high:.2f}, {-gain.low:.2f}]",
    )


def changed_block() -> Finding:
    curve = analyze(
        {"depth": IMAGENET_DEPTHS, "top1": IMAGENET_TOP1},
        level="depth",
        score="top1",
        direction="maximize",
        margin=1.0,
    )
    steps = ", ".join(f"{g.below} to {g.level}: {g.per_doubling:.2f}" for g in curve.gains)
    return (
        "a block type changed in mid-axis",
        f"points per doubling of ImageNet's ResNets: {steps}; from 34 to 50 the block changes, too",
    )


def far_extrapolation() -> Finding:
    depths, errors = np.array(CIFAR_DEPTHS[:4], float), np.array(CIFAR_ERRORS[:4])
    slope, start = np.polyfit(np.log(depths), np.log(errors), 1)
    at = {depth: float(np.exp(start + slope * np.log(depth))) for depth in (110, 1202)}
    return (
        "far extrapolation",
        f"a power law through depths 20 to 56 says {at[110]:.2f} % at 110 (it is 6.43, 6.61 on "
        f"average) and {at[1202]:.2f} % at 1202 (it is 7.93)",
    )


def dropped_crashes(rng: np.random.Generator, runs: int) -> Finding:
    """The larger level gains nothing, and its hardest quarter of runs diverges."""
    shared = rng.normal(0, 1.0, (runs, 20))
    small, large = (shared + rng.normal(0, 0.35, shared.shape) for _ in range(2))
    crashed = large > np.quantile(large, 0.75)
    kept = np.where(crashed, np.nan, large)
    gain = np.nanmean(small, axis=1) - np.nanmean(kept, axis=1)
    return (
        "dropped crashes",
        f"a level that gains nothing, and whose worst quarter of runs diverges and is left out, "
        f"seems to gain {gain.mean():.2f} standard deviations",
    )


def findings(quick: bool) -> Iterator[Finding]:
    rng = np.random.default_rng(0)
    runs = 2_000 if quick else 20_000
    yield tuned_at_depth_one(quick)
    yield best_of_seeds(rng, runs)
    yield unpaired(rng, runs)
    yield not_significant(rng, runs)
    yield peeking(rng, runs)
    yield knee_on_raw_axes()
    yield forced_monotonicity()
    yield changed_block()
    yield far_extrapolation()
    yield dropped_crashes(rng, runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs and seeds")
    for number, (way, measured) in enumerate(findings(parser.parse_args().quick), 1):
        print(f"{number}. {way}: {measured}", flush=True)


if __name__ == "__main__":
    main()
