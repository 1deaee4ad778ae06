"""Drives the policies: commits their steps, offers the packets, takes in the reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from services.runner.ahead import Surplus
from services.runner.interfaces import Guidance, Ledger, Packets
from services.runner.narration import Narrator
from services.runner.orders import Course, Orders
from services.runner.retries import Retries
from services.runner.spending import Spending
from services.runner.stopping import stopped
from services.runner.tries import OVER, UNWANTED, attempt_of, ended
from tuner.record import Conclusion, Measurement, PacketOutcome, PlanStep
from tuner.search import Climb, SearchRecord
from tuner.spec import JobSpec
from tuner.trials.work import Report, Task

COLLECT_SECONDS = 0.5
"""Longest wait for reports before directives and budgets are looked at again."""

GRACE_SECONDS = 3.0
"""How long packets in flight are waited for once the job's time is over."""


class Planner:
    """One job's searches, from their record to their conclusions."""

    def __init__(
        self,
        job: str,
        attempt: int,
        spec: JobSpec,
        records: Mapping[str, SearchRecord],
        packets: Packets,
        ledger: Ledger,
        narrator: Narrator,
        elapsed_seconds: float,
        billed_device_seconds: float,
        refusals: Mapping[str, str],
        surplus: Sequence[Measurement] = (),
        on_lost: Callable[[str, str], None] = lambda node, packet: None,
    ) -> None:
        """Takes the searches as they were recorded.

        Args:
            job: The job's resource name.
            attempt: The runner's attempt.
            spec: The job's spec.
            records: By search, every committed step and every final measurement.
            packets: The broker.
            ledger: The coordinator.
            narrator: Tells the climb.
            elapsed_seconds: How long the job's attempts have run.
            billed_device_seconds: Spent so far.
            refusals: By search, why its learner can't learn from the data.
            surplus: What ran ahead and no step has claimed.
            on_lost: Called with a node and a packet that it has lost.
        """
        self._attempt = attempt
        self._spec = spec
        self._job = job
        self._records = records
        self._packets = packets
        self._ledger = ledger
        self._narrator = narrator
        self._refusals = refusals
        self._spending = Spending(spec.budget, elapsed_seconds, billed_device_seconds)
        self._broken_off = False
        self._paused = False
        self._holding = False
        self._retries = Retries(spec, packets, on_lost)
        self._policies = {key: Climb(spec, key) for key in records}
        self._owed: dict[str, set[str]] = {key: set() for key in records}
        self._offered: dict[str, set[str]] = {key: set() for key in records}
        self._surplus = Surplus(job, attempt, spec, self._policies, packets, surplus)

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

    @property
    def paused(self) -> bool:
        """Whether what was in flight is recorded, and the plan is left as it is."""
        return self._paused

    def run(
        self,
        stop: threading.Event,
        node_alive: Callable[[str], bool],
        orders: Guidance | None = None,
    ) -> None:
        """Goes on until every search has concluded, it has paused or it is told to stop.

        Args:
            stop: Ends it between steps; what was recorded stays.
            node_alive: Tells whether a node is still part of the cluster.
            orders: How the job is to go on; on where omitted.

        Raises:
            TunerError: The coordinator refused a step or a batch.
        """
        orders = Orders() if orders is None else orders
        self._hold(orders.course is not Course.ON)
        for key, record in self._records.items():
            self._ledger.add(self._claim(key, record), [])
            self._offer(key, record)
        while not stop.is_set():
            course = orders.course
            self._hold(course is not Course.ON)
            if course is not Course.ON:
                if not self._in_flight(course, node_alive) and self._rest(orders):
                    return
                continue
            if any(self._owed.values()) and self._spending.over:
                self._break_off(stop, node_alive)
                return
            for key, record in self._records.items():
                if not self._owed[key] and not record.concluded:
                    self._advance(key, record)
            if self.done:
                return
            if any(self._owed.values()):
                self._surplus.offer(self._records, self._spending.billed)
                for report in self._packets.collect(COLLECT_SECONDS):
                    self._take_in(report, node_alive)

    def _hold(self, held: bool) -> None:
        """Has nothing more begun, or things go on again."""
        if held is not self._holding:
            self._holding = held
            self._packets.hold(held)

    def _in_flight(self, course: Course, node_alive: Callable[[str], bool]) -> bool:
        """Records what has come; tells whether anything runs that is to be waited for.

        Nobody will ask for surplus any more where the job is to stop.
        """
        running = [
            packet
            for packet in self._packets.in_flight()
            if course is Course.PAUSE or not self._surplus.owns(packet)
        ]
        for report in self._packets.collect(COLLECT_SECONDS if running else 0.0):
            self._take_in(report, node_alive)
        return bool(running)

    def _rest(self, orders: Guidance) -> bool:
        """Leaves the plan, or concludes it, once nothing is in flight; tells whether it has."""
        if orders.course is Course.STOP:
            self._conclude(Conclusion.STOPPED, stopped(orders.reason))
        else:
            self._ledger.flush()
            self._paused = orders.settle()
        return self.done or self._paused

    def _conclude(self, conclusion: Conclusion, reason: str) -> None:
        """Ends every search that is open, for a reason from outside."""
        for key, record in self._records.items():
            if not record.concluded:
                refused = self._refusals.get(key)
                how = (conclusion, reason) if refused is None else (Conclusion.FAILED, refused)
                self._take_step(key, record, self._policies[key].conclude(record, *how))

    def drain(self, node_alive: Callable[[str], bool]) -> None:
        """Takes in the reports that have come, without deciding anything more."""
        for report in self._packets.collect(0.0):
            self._take_in(report, node_alive)
        self._ledger.flush()

    def _advance(self, key: str, record: SearchRecord) -> None:
        """Decides the next step of a search, commits it, and offers its packets."""
        policy = self._policies[key]
        reason = self._spending.exhausted
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
            busy = self._packets.in_flight()
            for report in self._packets.collect(min(left, COLLECT_SECONDS) if busy else 0.0):
                self._take_in(report, node_alive)
            if not busy:
                break
        if stop.is_set():
            return
        self._broken_off = any(self._owed.values())
        self._conclude(Conclusion.BUDGET, self._spending.exhausted)

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

    def _take_in(self, report: Report, node_alive: Callable[[str], bool]) -> None:
        """Records a try at a packet and, where it brought them, its measurements."""
        task = report.task
        if self._surplus.owns(task.packet.id):
            self._take_in_surplus(report)
            return
        record = self._records[task.search]
        measurements: Sequence[Measurement] = report.measurements
        if report.outcome is PacketOutcome.LOST and record.concluded:
            report = ended(report, self._spec.resources, OVER)
        else:
            report, measurements = self._retries.judged(report, record, node_alive)
        self._spending.billed += report.billed_device_seconds
        for m in measurements:
            record.measurements.setdefault(m.id, m)
            self._owed[task.search].discard(m.id)
        self._keep(report, measurements)
        self._ledger.add(measurements, [attempt_of(report, self._attempt)])
        self._narrator.report(report, measurements)

    def _take_in_surplus(self, report: Report) -> None:
        """Records what ran ahead: as measurements if it has been claimed meanwhile."""
        key = report.task.search
        record = self._records[key]
        report = self._retries.judged_surplus(report, ended_by_us=self.done)
        self._surplus.take_in(report, record)
        if report.outcome is PacketOutcome.LOST and self.done:
            report = ended(report, self._spec.resources, UNWANTED)
        self._spending.billed += report.billed_device_seconds
        claimed = self._claim(key, record)
        kept = self._surplus.kept(report.measurements)
        self._keep(report, [*claimed, *kept])
        self._ledger.add(claimed, [attempt_of(report, self._attempt)], kept)
        self._narrator.report(report, report.measurements)
        # A step may have waited for what it didn't bring.
        self._offer(key, record)

    def _keep(self, report: Report, rows: Sequence[Measurement]) -> None:
        """Hands on the predictions of the rows that are recorded, and of no others."""
        ids = {m.id for m in rows} & report.predictions.keys()
        if ids:
            self._ledger.keep({i: report.predictions[i] for i in ids})
