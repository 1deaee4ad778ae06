"""Drives the policies: commits their steps, offers the packets, takes in the reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from services.runner.ahead import Surplus
from services.runner.bearings import bearings
from services.runner.interfaces import Ledger, Packets
from services.runner.losses import Losses, crashed
from services.runner.narration import Narrator
from tuner.record import (
    Conclusion,
    Measurement,
    PacketAttempt,
    PacketOutcome,
    PlanStep,
)
from tuner.search import Climb, SearchRecord
from tuner.spec import JobSpec
from tuner.trials.work import Report, Task, device_share

COLLECT_SECONDS = 0.5
"""Longest wait for reports before directives and budgets are looked at again."""

GRACE_SECONDS = 3.0
"""How long packets in flight are waited for once the job's time is over."""

OVER = "the job's time was over before it was done"
"""Why a packet in flight was ended."""

UNWANTED = "the job ended before any step asked for it"
"""Why a packet that ran ahead was ended."""


class Planner:
    """One job's searches, from their record to their conclusions."""

    def __init__(
        self,
        job: str,
        attempt: int,
        spec: JobSpec,
        steps: Sequence[PlanStep],
        measurements: Sequence[Measurement],
        packets: Packets,
        ledger: Ledger,
        narrator: Narrator,
        elapsed_seconds: float,
        billed_device_seconds: float,
        refusals: dict[str, str],
        surplus: Sequence[Measurement] = (),
    ) -> None:
        """Rebuilds the searches from what was recorded.

        Args:
            job: The job's resource name.
            attempt: The runner's attempt.
            spec: The job's spec.
            steps: Every committed step, in order.
            measurements: Every final measurement.
            packets: The broker.
            ledger: The coordinator.
            narrator: Tells the climb.
            elapsed_seconds: Since the job first ran.
            billed_device_seconds: Spent so far.
            refusals: By search, why its learner can't learn from the data.
            surplus: What ran ahead and no step has claimed.
        """
        self._job = job
        self._attempt = attempt
        self._spec = spec
        self._packets = packets
        self._ledger = ledger
        self._narrator = narrator
        self._refusals = refusals
        self._start = time.monotonic() - elapsed_seconds
        self._billed = billed_device_seconds
        self._broken_off = False
        self._losses = Losses(bearings(spec))
        self._policies = {s.key: Climb(spec, s.key) for s in spec.all_searches()}
        self._records = {key: SearchRecord(job, key) for key in self._policies}
        self._owed: dict[str, set[str]] = {key: set() for key in self._policies}
        self._offered: dict[str, set[str]] = {key: set() for key in self._policies}
        self._surplus = Surplus(job, attempt, spec, self._policies, packets, surplus)
        for step in steps:
            self._records[step.search].steps.append(step)
        for m in measurements:
            self._records[m.search].measurements[m.id] = m

    @property
    def done(self) -> bool:
        """Whether every search has concluded."""
        return all(record.concluded for record in self._records.values())

    @property
    def runs_ahead(self) -> bool:
        """Whether anything runs, or waits to run, that no step has asked for."""
        return self._surplus.running

    @property
    def broken_off(self) -> bool:
        """Whether packets in flight were given up, for the job's time was over."""
        return self._broken_off

    def run(self, stop: threading.Event, node_alive: Callable[[str], bool]) -> None:
        """Goes on until every search has concluded or it is told to stop.

        Args:
            stop: Ends it between steps; what was recorded stays.
            node_alive: Tells whether a node is still part of the cluster.

        Raises:
            TunerError: The coordinator refused a step or a batch.
        """
        for key, record in self._records.items():
            self._ledger.add(self._claim(key, record), [])
            self._offer(key, record)
        while not stop.is_set():
            if any(self._owed.values()) and self._overdue():
                self._break_off(stop, node_alive)
                return
            for key, record in self._records.items():
                if not self._owed[key] and not record.concluded:
                    self._advance(key, record)
            if self.done:
                return
            if any(self._owed.values()):
                self._surplus.offer(self._records, self._billed)
                for report in self._packets.collect(COLLECT_SECONDS):
                    self._take_in(report, node_alive)

    def drain(self, node_alive: Callable[[str], bool]) -> None:
        """Takes in the reports that have come, without deciding anything more."""
        for report in self._packets.collect(0.0):
            self._take_in(report, node_alive)
        self._ledger.flush()

    def _advance(self, key: str, record: SearchRecord) -> None:
        """Decides the next step of a search, commits it, and offers its packets."""
        policy = self._policies[key]
        reason = self._out_of_budget()
        if key in self._refusals:
            step = policy.conclude(record, Conclusion.FAILED, self._refusals[key])
        elif reason:
            step = policy.conclude(record, Conclusion.BUDGET, reason)
        else:
            decided = policy.next_step(record)
            assert decided is not None  # a search that has concluded isn't advanced
            step = decided
        self._take_step(key, record, step)

    def _break_off(self, stop: threading.Event, node_alive: Callable[[str], bool]) -> None:
        """Ends every search with what is known: what is in flight gets a short grace.

        Nothing more is begun. What isn't there by then is never measured: whoever runs the
        slots ends those that are busy.
        """
        self._packets.close()
        end = time.monotonic() + GRACE_SECONDS
        while not stop.is_set() and (left := end - time.monotonic()) > 0:
            busy, _ = self._packets.load()
            for report in self._packets.collect(min(left, COLLECT_SECONDS) if busy else 0.0):
                self._take_in(report, node_alive)
            if not busy:
                break
        if stop.is_set():
            return
        self._broken_off = any(self._owed.values())
        reason = self._out_of_budget()
        for key, record in self._records.items():
            if not record.concluded:
                step = self._policies[key].conclude(record, Conclusion.BUDGET, reason)
                self._take_step(key, record, step)

    def _take_step(self, key: str, record: SearchRecord, step: PlanStep) -> None:
        """Commits a step and offers its packets."""
        # A step is durable only after all that it was decided on.
        self._ledger.flush()
        self._ledger.commit(step)
        record.steps.append(step)
        self._narrator.step(step)
        self._offered[key] = set()
        self._surplus.withdraw(key)
        self._ledger.add(self._claim(key, record), [])
        self._offer(key, record)

    def _claim(self, key: str, record: SearchRecord) -> list[Measurement]:
        """Takes into the record, and returns, what ran ahead of the last step."""
        rows = self._surplus.claim(record)
        for m in rows:
            record.measurements.setdefault(m.id, m)
            self._owed[key].discard(m.id)
        return rows

    def _offer(self, key: str, record: SearchRecord) -> None:
        """Offers the packets of the last step that owe a measurement which isn't on its way."""
        owing = {p.id: set(record.ids(p)) - set(record.measurements) for p in record.unfinished()}
        self._owed[key] = {i for ids in owing.values() for i in ids}
        search = self._spec.search(key)
        tasks = [
            Task(p, self._job, key, search.learner, search.axis)
            for p in record.unfinished()
            if p.id not in self._offered[key] and not self._surplus.brings(owing[p.id])
        ]
        if tasks:
            self._offered[key].update(task.packet.id for task in tasks)
            self._packets.offer(tasks)

    def _out_of_budget(self) -> str:
        """Returns why the job has to stop, or "" where its budget holds."""
        budget = self._spec.budget
        if budget.device_hours is not None and self._billed >= 3600 * budget.device_hours:
            return f"the budget of {budget.device_hours:g} device-hours is spent"
        if budget.wall_clock_hours is not None and self._overdue():
            return f"the budget of {budget.wall_clock_hours:g} hours is over"
        return ""

    def _overdue(self) -> bool:
        """Tells whether the job's time is over."""
        hours = self._spec.budget.wall_clock_hours
        return hours is not None and time.monotonic() - self._start >= 3600 * hours

    def _take_in(self, report: Report, node_alive: Callable[[str], bool]) -> None:
        """Records a try at a packet and, where it brought them, its measurements."""
        task = report.task
        if self._surplus.owns(task.packet.id):
            self._take_in_surplus(report)
            return
        record = self._records[task.search]
        measurements = report.measurements
        if report.outcome is PacketOutcome.LOST and record.concluded:
            report = self._ended(report, OVER)
        elif report.outcome is PacketOutcome.LOST:
            measurements = self._judge_loss(report, node_alive)
        self._billed += report.billed_device_seconds
        for m in measurements:
            record.measurements.setdefault(m.id, m)
            self._owed[task.search].discard(m.id)
        self._keep(report, measurements)
        self._ledger.add(measurements, [self._attempt_of(report)])
        self._narrator.report(report, measurements)

    def _take_in_surplus(self, report: Report) -> None:
        """Records what ran ahead: as measurements if it has been claimed meanwhile."""
        key = report.task.search
        record = self._records[key]
        self._surplus.take_in(report, record)
        if report.outcome is PacketOutcome.LOST and self.done:
            report = self._ended(report, UNWANTED)
        self._billed += report.billed_device_seconds
        claimed = self._claim(key, record)
        kept = self._surplus.kept(report.measurements)
        self._keep(report, [*claimed, *kept])
        self._ledger.add(claimed, [self._attempt_of(report)], kept)
        self._narrator.report(report, report.measurements)
        # A step may have waited for what it didn't bring.
        self._offer(key, record)

    def _ended(self, report: Report, why: str) -> Report:
        """Bills what was ended by us, for nobody waits for it: it had its slot until then."""
        held = (report.end_time - report.start_time).total_seconds()
        share = device_share(self._spec.resources.cpus, self._spec.resources.gpus)
        return replace(report, billed_device_seconds=held * share, error=why)

    def _keep(self, report: Report, rows: Sequence[Measurement]) -> None:
        """Hands on the predictions of the rows that are recorded, and of no others."""
        ids = {m.id for m in rows} & report.predictions.keys()
        if ids:
            self._ledger.keep({i: report.predictions[i] for i in ids})

    def _attempt_of(self, report: Report) -> PacketAttempt:
        return PacketAttempt(
            packet=report.task.packet.id,
            number=report.task.attempt,
            runner_attempt=self._attempt,
            node=report.node,
            device_type=report.device_type,
            start_time=report.start_time,
            end_time=report.end_time,
            billed_device_seconds=report.billed_device_seconds,
            outcome=report.outcome,
            error=report.error,
        )

    def _judge_loss(
        self, report: Report, node_alive: Callable[[str], bool]
    ) -> tuple[Measurement, ...]:
        """Offers a lost packet again, unless it has killed too many workers by itself."""
        if (task := self._losses.again(report, node_alive)) is not None:
            self._packets.retry(task)
            return ()
        return crashed(self._records[report.task.search], report)
