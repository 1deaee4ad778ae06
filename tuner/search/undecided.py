"""Where the answer hangs: the levels that more replicates could decide on."""

from __future__ import annotations

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
    found: set[int] = set()
    if sufficient is not None and sufficient != look.levels[-1]:
        for c in look.comparisons:
            if c.smaller == sufficient and c.high >= 0:
                found |= {int(c.smaller), int(c.larger)}
        return sorted(found)
    for level in look.levels[:-1]:
        pairs = [c for c in look.comparisons if c.smaller == level]
        if pairs and not any(c.low > 0 for c in pairs):
            best = max(pairs, key=lambda c: (c.estimate, -c.larger))
            found |= {int(best.smaller), int(best.larger)}
    return sorted(found)
