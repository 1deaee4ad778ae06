"""A table that answers packets from a known truth, in place of a cluster."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from tuner.record import Measurement, Outcome, Packet, Phase, seed_of
from tuner.search import Climb, SearchRecord
from tuner.spec import JobSpec

JOB = "namespaces/default/jobs/test"
Truth = Callable[[int], float]


def noise(*parts: str | int) -> float:
    return random.Random(seed_of(*parts)).gauss(0.0, 1.0)


class Table:
    """Error at a level: the truth plus a penalty for the learning rate plus paired noise."""

    def __init__(self, spec: JobSpec, truth: Truth, sd: float, fails: Iterable[int] = ()) -> None:
        self.spec = spec
        self.truth = truth
        self.sd = sd
        self.fails = set(fails)

    def answer(self, record: SearchRecord, packet: Packet) -> list[Measurement]:
        rows = []
        for member in packet.members():
            rate = dict(member.setting)["learning_rate"]
            assert isinstance(rate, float)
            shared = 2 * noise("replicate", member.replicate, packet.phase)
            own = noise("own", member.level, member.replicate, packet.phase)
            error = self.truth(member.level) + 0.1 * abs(rate - 0.01) + self.sd * (shared + own)
            failed = member.level in self.fails
            rows.append(
                Measurement(
                    id=record.id_of(packet.phase, member),
                    search=record.search,
                    phase=packet.phase,
                    level=member.level,
                    setting=member.setting,
                    replicate=member.replicate,
                    outcome=Outcome.DIVERGED if failed else Outcome.COMPLETED,
                    scores={} if failed else {"error": error},
                    error="the loss became NaN" if failed else "",
                )
            )
        return rows


def climb(
    table: Table, key: str, *, workers: int = 3, shuffle: int = 0, restart: float = 0.0
) -> SearchRecord:
    """Runs a search to its end, on so many workers, in an arrival order drawn from a seed.

    With a chance of `restart`, after any arrival all that is known is thrown
    away but the committed steps and the recorded measurements, as when a
    runner dies.
    """
    chance = random.Random(shuffle)
    record = SearchRecord(JOB, key)
    for _ in range(10_000):
        step = Climb(table.spec, key).next_step(record)
        if step is None:
            return record
        record.steps.append(step)
        waiting = list(step.packets)
        while waiting:
            packet = waiting.pop(chance.randrange(min(workers, len(waiting))))
            for m in table.answer(record, packet):
                record.measurements.setdefault(m.id, m)
            if chance.random() < restart:
                kept = dict(record.measurements)
                if kept and chance.random() < 0.5:  # one row never reached the coordinator
                    kept.pop(next(reversed(kept)))
                record = SearchRecord(JOB, key, list(record.steps), kept)
                waiting = record.unfinished()
                chance.shuffle(waiting)
    raise AssertionError("the search doesn't end")


def measured(record: SearchRecord) -> set[int]:
    return {m.level for m in record.claimed(Phase.MEASURING)}
