"""The report: what hit, how long it took to mend, what the jobs went through."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median

from tests.chaos.jobs import Troop
from tests.chaos.mischief import Script
from tests.chaos.storm import Storm


def hits(storm: Storm, script: Script) -> int:
    """Returns how many faults hit, of processes and of calls."""
    return len(storm.struck) + sum(script.hits.values())


def report(
    seed: int, storm: Storm, script: Script, troop: Troop, takeovers: int, seconds: float
) -> str:
    """Writes the report of a storm."""
    lines = [
        f"chaos, seed {seed}: {hits(storm, script)} faults in {seconds:.0f} s",
        "",
        f"{'process':44} {'hit':>4} {'mended after, median and most':>32}",
    ]
    mended: defaultdict[str, list[float]] = defaultdict(list)
    for struck in storm.struck:
        mended[struck.fault.kind] += [] if struck.mended is None else [struck.mended]
    for kind, count in sorted(Counter(s.fault.kind for s in storm.struck).items()):
        times = mended[kind]
        told = f"{median(times):6.1f} s {max(times):6.1f} s" if times else "not waited for"
        lines.append(f"{kind:44} {count:4} {told:>32}")
    lines += ["", f"{'call':20} {'what befell it':36} {'hit':>4}"]
    lines += [
        f"{method:20} {mode.value:36} {count:4}"
        for (method, mode), count in sorted(script.hits.items())
    ]
    outcomes = ", ".join(f"{count} {how}" for how, count in sorted(troop.outcomes.items()))
    lines += [
        "",
        f"{troop.counts['jobs']} jobs, {troop.counts['attempts']} attempts ({outcomes}), "
        f"{troop.counts['measurements']} measurements, {troop.counts['events']} events; "
        f"the schedulers' lease changed hands {takeovers} times",
        *troop.lines,
    ]
    if storm.visitor is not None:
        done = storm.visitor.done
        lines.append("calls meanwhile: " + ", ".join(f"{what} {n}" for what, n in done.items()))
    if storm.missed:
        lines.append(f"hit nobody: {', '.join(f.kind for f in storm.missed)}")
    wrong = [*troop.wrong, *(storm.visitor.wrong if storm.visitor is not None else [])]
    if wrong:
        lines += ["", "WRONG", *wrong]
    return "\n".join(lines) + "\n"
