"""A table that answers packets from a known truth, in place of a cluster."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import replace

from tuner.record import (
    Footprint,
    Measurement,
    Member,
    Outcome,
    Packet,
    Phase,
    PlanStep,
    seed_of,
)
from tuner.search import Climb, SearchRecord
from tuner.spec import JobSpec

JOB = "namespaces/default/jobs/test"
MAX_STEPS = 500
Truth = Callable[[int], float]
Breaks = Callable[[Phase, Member], bool]
Needs = Callable[[Member], Footprint]


def noise(*parts: str | int) -> float:
    return random.Random(seed_of(*parts)).gauss(0.0, 1.0)


class Table:
    """Error at a level: the truth plus a penalty for the learning rate plus paired noise.

    Attributes:
        spec: What is asked.
        truth: Level to error at the best learning rate.
        sd: Standard deviation of what a level and a replicate bring.
        fails: Levels at which every fit diverges.
        best: Level to the best learning rate there; .01 everywhere where omitted.
        slope: Error of a rate that is ten times off the best.
        scatter: Standard deviation of what a setting and a replicate bring.
        breaks: Tells of a fit whether it diverges; some then say so by their score alone.
        digits: Decimals that scores have, so that some are equal.
        seconds: Level to what a fit there costs alone, in device-seconds, in the middle.
        jitter: The share by which fits take more or less.
        luck: Another number is other noise.
        needs: Tells what a fit's model takes to use; nothing is known of it where omitted.
    """

    def __init__(
        self,
        spec: JobSpec,
        truth: Truth,
        sd: float,
        fails: Iterable[int] = (),
        *,
        best: Truth | None = None,
        slope: float = 0.02,
        scatter: float = 0.0,
        breaks: Breaks | None = None,
        digits: int = 15,
        seconds: Truth = float,
        jitter: float = 0.0,
        luck: int = 0,
        needs: Needs | None = None,
    ) -> None:
        self.spec = spec
        self.truth = truth
        self.sd = sd
        self.fails = set(fails)
        self.best = best
        self.slope = slope
        self.scatter = scatter
        self.breaks = breaks
        self.digits = digits
        self.seconds = seconds
        self.jitter = jitter
        self.luck = luck
        self.needs = needs

    def answer(self, record: SearchRecord, packet: Packet) -> list[Measurement]:
        return [self.row(record, packet, member) for member in packet.members()]

    def row(self, record: SearchRecord, packet: Packet, member: Member) -> Measurement:
        failed = member.level in self.fails
        scores = {} if failed else {"error": self.error(packet.phase, member)}
        if self.breaks is not None and self.breaks(packet.phase, member):
            failed = noise("how", repr(member)) > 0
            scores = {} if failed else {"error": math.nan}
        return Measurement(
            id=record.id_of(packet.phase, member),
            search=record.search,
            phase=packet.phase,
            level=member.level,
            setting=member.setting,
            replicate=member.replicate,
            outcome=Outcome.DIVERGED if failed else Outcome.COMPLETED,
            scores=scores,
            standalone_device_seconds=self.cost(member),
            error="the loss became NaN" if failed else "",
            packet=packet.id,
            footprint=self.footprint(packet.phase, member),
        )

    def footprint(self, phase: Phase, member: Member) -> Footprint | None:
        told = self.needs is not None and phase is not Phase.TUNING
        return self.needs(member) if told and member.level not in self.fails else None

    def error(self, phase: Phase, member: Member) -> float:
        # A runner-up shares its replicates with the winner.
        part = Phase.TUNING if phase is Phase.TUNING else Phase.MEASURING
        shared = 2 * noise("replicate", member.replicate, part, self.luck)
        own = noise("own", member.level, member.replicate, part, self.luck)
        error = self.truth(member.level) + self.penalty(member) + self.sd * (shared + own)
        if self.scatter:
            setting = repr(member.setting)
            error += self.scatter * noise(setting, member.level, member.replicate, part, self.luck)
        return round(error, self.digits)

    def cost(self, member: Member) -> float:
        more = noise("cost", repr(member), self.luck) if self.jitter else 0.0
        return self.seconds(member.level) * math.exp(self.jitter * more)

    def penalty(self, member: Member) -> float:
        rate = dict(member.setting)["learning_rate"]
        assert isinstance(rate, float)
        if self.best is None:
            return 0.1 * abs(rate - 0.01)
        return self.slope * abs(math.log10(rate / self.best(member.level)))


def climb(
    table: Table,
    key: str,
    *,
    workers: int = 3,
    shuffle: int = 0,
    restart: float = 0.0,
    ahead: float = 0.0,
    reread: Callable[[PlanStep], PlanStep] = lambda step: step,
    begun: SearchRecord | None = None,
) -> SearchRecord:
    """Runs a search to its end, on so many workers, in an arrival order drawn from a seed.

    With a chance of `restart`, after any arrival all that is known is thrown
    away but the committed steps and the recorded measurements, as when a
    runner dies. The steps are then as `reread` gives them back. With a chance of
    `ahead`, after any arrival something is there that no step has claimed, and that a
    later one may. One that was begun goes on; what it owes comes first.
    """
    chance = random.Random(shuffle)
    record = begun or SearchRecord(JOB, key)
    for _ in range(MAX_STEPS):
        if not record.unfinished():
            step = Climb(table.spec, key).next_step(record)
            if step is None:
                return record
            record.steps.append(step)
            _claim(record, step)
        waiting = record.unfinished()
        while waiting:
            packet = waiting.pop(chance.randrange(min(workers, len(waiting))))
            for m in table.answer(record, packet):
                record.measurements.setdefault(m.id, m)
            if chance.random() < ahead:
                _run_ahead(table, record, packet, chance)
            if chance.random() < restart:
                kept = [*record.measurements.values()]
                if kept and chance.random() < 0.5:  # one row never reached the coordinator
                    kept.pop()
                chance.shuffle(kept)
                steps = [reread(step) for step in record.steps]
                record = SearchRecord(JOB, key, steps, {m.id: m for m in kept})
                record.reopen()  # it is open, as the coordinator tells
                waiting = record.unfinished()
                chance.shuffle(waiting)
    raise AssertionError("the search doesn't end")


def _run_ahead(table: Table, record: SearchRecord, last: Packet, chance: random.Random) -> None:
    """Runs what the last packet did on another replicate, and for another end."""
    phase = chance.choice([*Phase])
    packet = Packet(
        "s:ahead:1", phase, last.settings, last.levels, (chance.randrange(12), chance.randrange(99))
    )
    for m in table.answer(record, packet):
        record.measurements.setdefault(m.id, m)


def _claim(record: SearchRecord, step: PlanStep) -> None:
    """Gives what ran ahead of a step to its packets, as a runner does."""
    for packet in step.packets:
        for i in record.ids(packet):
            if i in record.measurements:
                record.measurements[i] = replace(record.measurements[i], packet=packet.id)


def measured(record: SearchRecord) -> set[int]:
    return {m.level for m in record.claimed(Phase.MEASURING)}
