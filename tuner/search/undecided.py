"""Where the answer hangs: the levels that more replicates could decide on."""

from __future__ import annotations

from collections.abc import Iterable

from tuner.returns import Assessment


def levels(look: Assessment) -> list[int]:
    """Returns the levels whose replicates could still decide the verdict.

    Where the estimates say that level k suffices, these are k and every larger
    level that isn't bounded below it yet. Where no level but the top does, they
    are the levels that aren't shown to be worth leaving, each with the larger
    one that gains most over it.

    Args:
        look: The assessment of what is measured.

    Returns:
        The levels, rising; empty where nothing hangs on replicates.
    """
    sufficient = look.estimated_sufficient
    if sufficient is not None and sufficient != look.levels[-1]:
        found: set[int] = set()
        for c in look.comparisons:
            if c.smaller == sufficient and c.high >= 0:
                found |= {int(c.smaller), int(c.larger)}
        return sorted(found)
    return _with_best(look, _not_excluded(look, look.levels[:-1]))


def smaller(look: Assessment) -> list[int]:
    """Returns the levels whose replicates could still show a smaller level to fall short.

    A plateau says that its level suffices, and leaves open whether a smaller one does:
    one that was unlucky in its first replicates may well. These are the smaller levels
    that aren't excluded, each with the larger one that gains most over it; empty where
    no verdict names a level, or all smaller ones are excluded.
    """
    named = look.verdict.level
    if named is None:
        return []
    return _with_best(look, _not_excluded(look, [k for k in look.levels if k < named]))


def _not_excluded(look: Assessment, among: Iterable[float]) -> list[float]:
    """Returns the levels over which no larger one is shown to be worth its price."""
    excluded = {c.smaller for c in look.comparisons if c.low > 0}
    return [level for level in among if level not in excluded]


def _with_best(look: Assessment, open_levels: Iterable[float]) -> list[int]:
    """Returns the levels, each with the larger one that gains most over it."""
    found: set[int] = set()
    for level in open_levels:
        pairs = [c for c in look.comparisons if c.smaller == level]
        if pairs:
            best = max(pairs, key=lambda c: (c.estimate, -c.larger))
            found |= {int(best.smaller), int(best.larger)}
    return sorted(found)
