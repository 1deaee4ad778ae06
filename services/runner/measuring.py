"""A job's searches on the cluster: the planner, the broker and the slots, from start to end."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.runner import cluster, transfer
from services.runner.assignment import Assignment
from services.runner.broker import Broker
from services.runner.link import CoordinatorLink
from services.runner.narration import Narrator
from services.runner.orders import Orders
from services.runner.planner import Planner
from services.runner.pulse import Halt
from services.runner.recorder import Recorder
from services.runner.rounds import Rounds
from services.runner.steering import Steering
from tuner.datasets.base import Data
from tuner.record import Measurement, PacketAttempt, PlanStep
from tuner.trials.slots import SlotSearcher
from tuner.trials.work import Load


class Loads:
    """What the heartbeat tells of, while it is there."""

    def __init__(self) -> None:
        """Makes it of nothing."""
        self.broker: Broker | None = None

    def load(self) -> Load:
        """Returns what the slots do."""
        broker = self.broker
        return broker.load() if broker else Load()


@dataclass(frozen=True)
class Parts:
    """The attempt's own.

    Attributes:
        link: The coordinator.
        halt: Ends it early.
        orders: How it is to go on.
        narrator: Tells the climb.
        loads: Told of the broker while it is there.
    """

    link: CoordinatorLink
    halt: Halt
    orders: Orders
    narrator: Narrator
    loads: Loads


@dataclass(frozen=True)
class _Ledger:
    """The coordinator as the planner sees it: steps at once, rows in batches."""

    link: CoordinatorLink
    recorder: Recorder

    def commit(self, step: PlanStep) -> None:
        self.link.commit(step)

    def add(
        self,
        measurements: Sequence[Measurement],
        attempts: Sequence[PacketAttempt],
        surplus: Sequence[Measurement] = (),
    ) -> None:
        self.recorder.add(measurements, attempts, surplus)

    def keep(self, predictions: Mapping[str, bytes]) -> None:
        self.recorder.keep(predictions)

    def flush(self) -> None:
        self.recorder.flush()


class Measuring:
    """The searches of one attempt. It plans in a thread of its own: Ray Tune wants the main one."""

    def __init__(
        self,
        job: str,
        assignment: Assignment,
        data: Data,
        refusals: Mapping[str, str],
        kept: transfer.Kept,
        parts: Parts,
    ) -> None:
        """Starts the broker; Ray is initialised.

        Args:
            job: The job's resource name.
            assignment: What there is to do, and what was done.
            data: The job's data.
            refusals: By search, why its learner can't learn from the data.
            kept: The kept models that searches start from.
            parts: The attempt's own.
        """
        spec, link = assignment.spec, parts.link
        self._job, self._spec, self._data, self._kept = job, spec, data, kept
        self._parts, self._say = parts, parts.narrator.say
        self._broker = Broker(f"{job.replace('/', '-')}-{link.attempt}-{os.getpid()}")
        self._recorder = Recorder(link.record, parts.halt.fail, link.store_predictions)
        self._searcher = SlotSearcher(1)
        self._over = threading.Event()
        self._allowed = cluster.allowed(spec)
        most = spec.resources.slots or 0
        self._steering = Steering(
            self._searcher, self._broker, lambda: cluster.capacity(spec), most, self._say
        )
        self._planner = Planner(
            job=job,
            attempt=link.attempt,
            spec=spec,
            records=assignment.records(job),
            packets=self._broker,
            ledger=_Ledger(link, self._recorder),
            narrator=parts.narrator,
            elapsed_seconds=assignment.elapsed_seconds,
            billed_device_seconds=assignment.billed_device_seconds,
            refusals=refusals,
            surplus=assignment.surplus,
            on_lost=self._steering.lost,
        )

    def run(self) -> bool:
        """Goes on until every search has concluded, it has paused, or the flag is raised.

        Returns:
            Whether it has paused.
        """
        halt, planner = self._parts.halt, self._planner
        self._steer()
        self._greet()
        self._parts.loads.broker = self._broker
        rounds = Rounds([self._steer, self._end_overdue], halt.fail)
        thread = threading.Thread(target=self._plan, name="planner")
        thread.start()
        try:
            cluster.run_slots(
                self._spec,
                self._job,
                self._data,
                self._broker,
                self._searcher,
                self._over,
                self._kept.learners,
            )
        except Exception as error:  # noqa: BLE001 - ends the attempt, with its reason
            self._say(traceback.format_exc())
            halt.fail(error)
        finally:
            if not (planner.done or planner.paused):
                halt.fail(RuntimeError("Ray Tune ended before the plan did"))
            thread.join()
            rounds.close()
            self._parts.loads.broker = None
            try:
                if not halt.stale:
                    planner.drain(cluster.node_alive)
            finally:
                # What has come is recorded, though the broker be gone.
                self._recorder.close()
        return planner.paused

    def _greet(self) -> None:
        data, wanted = self._data, self._spec.resources
        examples = len(data.y) + (0 if data.y_test is None else len(data.y_test))
        slots = self._searcher.share
        self._say(f"{examples} examples, {len(data.classes)} classes; {slots} slots")
        if not any(cluster.capacity(self._spec).values()):
            self._say(
                f"no node fits a slot of {wanted.cpus:g} CPUs and {wanted.gpus:g} GPUs; "
                "waiting for one that does"
            )

    def _steer(self) -> None:
        orders = self._parts.orders
        self._steering.apply(orders.slots, orders.avoided)

    def _end_overdue(self) -> None:
        for worker in self._broker.end_overdue(self._allowed):
            self._say(f"the worker of slot {worker} made no progress and is ended")

    def _plan(self) -> None:
        halt = self._parts.halt
        try:
            self._planner.run(halt.event, cluster.node_alive, self._parts.orders)
        except Exception as error:  # noqa: BLE001 - ends the attempt, with its reason
            self._say(traceback.format_exc())
            halt.fail(error)
        finally:
            self._searcher.close()
            try:
                self._end_slots()
            finally:
                # Slots that wait for room on the cluster would be waited for else.
                self._over.set()

    def _end_slots(self) -> None:
        """Ends the slots: those that are busy in the middle where nobody waits for them."""
        planner, broker = self._planner, self._broker
        broker.close()
        if self._parts.halt.event.is_set():
            broker.kill_workers()
        elif planner.broken_off:
            self._say(
                "the time is over; slots that are still busy are ended, which Ray reports as errors"
            )
            broker.kill_busy_workers()
        elif planner.runs_ahead and not planner.paused:
            self._say(
                "all that was asked for is there; slots that still run ahead are ended, "
                "which Ray reports as errors"
            )
            broker.kill_busy_workers()
