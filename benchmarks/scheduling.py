"""How slots are shared out, in the simulator: python -m benchmarks.scheduling

Every line is one cluster under the coordinator's own policy, with runners that behave as
real ones do. It takes about 20 s of one core, and the same figures come out each
time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from services.coordinator.scheduling.model import Account, Rules, Shape
from services.coordinator.scheduling.simulated import Report, Work
from services.coordinator.scheduling.simulation import Simulation
from tuner.queue import Quota

ENDLESS = 10**6
HOUR = 3600


def endless(name: str, namespace: str, cpus: float = 1, **changes: object) -> Work:
    """Returns a job that always wants more than there is; packets take 20 to 60 s."""
    values = {"packets": ENDLESS, "width": 50, "seconds": (20.0, 60.0), **changes}
    return Work(name, namespace, Shape(cpus), **values)  # type: ignore[arg-type]


def run(
    works: Sequence[Work], nodes: Sequence[float], hours: float, **weights: float
) -> tuple[Report, str]:
    """Returns what happened, and the namespaces' parts of all cores that were held."""
    accounts = {name: Account(Quota(weight=weight)) for name, weight in weights.items()}
    cluster = {f"n{i}": Shape(cpus) for i, cpus in enumerate(nodes)}
    rules = Rules(max_running_jobs=20)
    report = Simulation(works, cluster, random.Random(1), rules, accounts).run(hours * HOUR)
    cores: dict[str, float] = {}
    for work in works:
        held = report.jobs[work.name].slot_seconds * work.shape.cpus
        cores[work.namespace] = cores.get(work.namespace, 0.0) + held
    whole = sum(cores.values())
    return report, "  ".join(f"{name} {held / whole:.1%}" for name, held in sorted(cores.items()))


def main() -> None:
    """Prints the table."""
    a, b, c = (endless(name, name) for name in "abc")
    five = [endless(name, name) for name in "abcde"]
    long = endless("a", "a", seconds=(600.0, 1800.0))
    short = endless("b", "b", seconds=(1.0, 5.0))
    late = endless("w", "w", 3, width=1, arrives=100.0)
    urgent = endless("u", "u", packets=300, priority=5, arrives=600.0)
    table = (
        ("2 namespaces, 3 slots, 2 h", run([a, b], [3], 2)),
        ("3 namespaces, 2 slots, 4 h", run([a, b, c], [2], 4)),
        ("weights 1.5 : 1, 2 slots, 4 h", run([a, b], [2], 4, a=1.5)),
        ("weights 3 : 2 : 1 : 1 : 1, 7 slots, 4 h", run(five, [7], 4, a=3, b=2)),
        ("packets of 600-1800 s beside 1-5 s, 3 slots, 12 h", run([long, short], [3], 12)),
        ("slots of 1, 2, 4 cores, 4 nodes of 4, 4 h",
         run([a, endless("b", "b", 2), endless("c", "c", 4)], [4] * 4, 4)),
        ("a slot of a whole node comes late, 3 nodes of 3, 2 h", run([a, late], [3] * 3, 2)),
        ("a higher priority comes after 600 s, 8 slots, 2 h", run([a, urgent], [8], 2)),
    )  # fmt: skip
    for what, (report, parts) in table:
        returns = sum(story.returns for story in report.jobs.values())
        print(what)
        wait = max(story.longest_wait for story in report.jobs.values())
        print(
            f"    {parts}; busy {report.busy_share:.1%}, of the worst hour kept idle "
            f"{report.reserved_idle_share:.2%}, {report.reservations} reservations, "
            f"{report.changes} changes of shares, {returns} returns to the queue, longest wait "
            f"{wait:.0f} s"
        )


if __name__ == "__main__":
    main()
