"""One attempt at a job, from its enrolment to its last word."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import ray

from services.runner import cluster, content, own_code, refit, transfer
from services.runner.facts import tell
from services.runner.link import Assignment, CoordinatorLink, is_stale
from services.runner.narration import Narrator
from services.runner.planner import Planner
from services.runner.pulse import Halt, Pulse
from services.runner.recorder import Recorder
from services.runner.settings import RunnerSettings
from tuner.datasets.base import Data, DataError
from tuner.errors import TunerError
from tuner.own_code import OwnCodeError
from tuner.record import Measurement, PacketAttempt, PlanStep
from tuner.trials.slots import SlotSearcher
from tuner.v1 import runner_service_pb2 as pb


class _Share:
    """What the heartbeat tells of and steers, once it is there."""

    def __init__(self) -> None:
        self.broker: cluster.Broker | None = None
        self.searcher: SlotSearcher | None = None

    def load(self) -> tuple[int, int]:
        return self.broker.load() if self.broker else (0, 0)

    def set(self, slots: int) -> None:
        if self.searcher is not None:
            self.searcher.share = slots


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


def run(settings: RunnerSettings) -> int:
    """Runs the attempt.

    Returns:
        The exit status: 0 where the coordinator took the last word, else 1.
    """
    halt = Halt()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _: halt.cancel(f"{signal.Signals(n).name} was received"))
    link = CoordinatorLink(
        settings.coordinator, settings.job, settings.patience_seconds, settings.trust
    )
    try:
        link.enrol(settings.code)
        return _Attempt(settings, link, halt).run()
    except TunerError as error:
        Narrator({}).say(f"the attempt ends: {error}")
        return 1
    finally:
        link.close()


class _Attempt:
    """The parts of a running attempt."""

    def __init__(self, settings: RunnerSettings, link: CoordinatorLink, halt: Halt) -> None:
        self._settings = settings
        self._link = link
        self._halt = halt
        self._share = _Share()
        self._narrator = Narrator({})

    def run(self) -> int:
        """Works, and tells the coordinator how it ended."""
        pulse = Pulse(self._link, self._halt, self._share.load, self._share.set)
        try:
            self._work()
        except DataError as error:
            self._narrator.say(f"the data set can't be used: {error}")
            self._link.finish(pb.ATTEMPT_OUTCOME_INVALID, str(error), field="dataset")
            return 0
        except OwnCodeError as error:
            self._narrator.say(f"the code can't be used: {error}")
            self._link.finish(pb.ATTEMPT_OUTCOME_INVALID, str(error), field="code")
            return 0
        except TunerError as error:
            self._halt.fail(error)
        except Exception as error:  # noqa: BLE001 - told to the coordinator, which decides
            self._narrator.say(traceback.format_exc())
            self._halt.fail(error)
        finally:
            pulse.close()
        return self._last_word()

    def _last_word(self) -> int:
        halt = self._halt
        if halt.stale:
            self._narrator.say(f"another attempt has taken over: {halt.reason}")
            return 1
        try:
            if halt.error is not None:
                self._narrator.say(f"the attempt failed: {halt.reason}")
                self._link.finish(pb.ATTEMPT_OUTCOME_CRASHED, halt.reason)
                return 1
            if halt.cancelled:
                self._narrator.say(f"the attempt ends: {halt.reason}")
                self._link.finish(pb.ATTEMPT_OUTCOME_CANCELLED, halt.reason)
                return 0
            self._narrator.say("every search has concluded")
            self._link.finish(pb.ATTEMPT_OUTCOME_COMPLETED)
        except TunerError as error:
            if not is_stale(error):
                raise
            self._narrator.say(f"another attempt has taken over: {error}")
            return 1
        return 0

    def _work(self) -> None:
        assignment = self._link.assignment()
        spec = assignment.spec
        name = spec.name or self._settings.job
        self._narrator.say(
            f"job {name}, attempt {self._link.attempt}: {len(assignment.steps)} decisions and "
            f"{len(assignment.measurements)} measurements so far; loading {spec.dataset}"
        )
        data = content.load(spec.dataset, assignment.data_roots, self._link.fetch_blob, spec.task)
        with own_code.brought(spec, self._link.fetch_blob) as environment:
            kept = transfer.load(spec, data, self._link.fetch_blob)
            unusable = own_code.refusals(spec)
            spec = own_code.described(spec, unusable)
            assignment = replace(assignment, spec=spec)
            refusals = {**content.refusals(spec, data), **unusable, **kept.refusals}
            for note in tell(spec, data, self._link).notes:
                self._narrator.say(note)
            if spec.refit is not None:
                refit.check(spec.refit, data)
                for refusal in refusals.values():
                    raise DataError(refusal)
            ray.init(
                address=self._settings.ray_address,
                runtime_env=environment,
                log_to_driver=False,
                logging_level="WARNING",
            )
            try:
                self._run(assignment, data, refusals, kept)
            finally:
                ray.shutdown()

    def _run(
        self, assignment: Assignment, data: Data, refusals: dict[str, str], kept: transfer.Kept
    ) -> None:
        spec, job = assignment.spec, self._settings.job
        if spec.refit is None:
            self._measure(assignment, data, refusals, kept)
        else:
            refit.run(
                spec,
                job,
                data,
                self._link,
                self._halt,
                self._narrator.say,
                kept,
                assignment.steps,
                assignment.measurements,
            )

    def _measure(
        self, assignment: Assignment, data: Data, refusals: dict[str, str], kept: transfer.Kept
    ) -> None:
        """Plans in a thread of its own, for Ray Tune wants the main one."""
        spec, job = assignment.spec, self._settings.job
        broker = cluster.Broker(f"{job.replace('/', '-')}-{self._link.attempt}-{os.getpid()}")
        self._share.broker = broker
        slots = cluster.slots_that_fit(spec, assignment.slots)
        examples = len(data.y) + (0 if data.y_test is None else len(data.y_test))
        self._narrator.say(f"{examples} examples, {len(data.classes)} classes; {slots} slots")
        if not slots:
            slots = 1  # stays pending, and Ray's autoscaler sees it
            wanted = spec.resources
            self._narrator.say(
                f"no node fits a slot of {wanted.cpus:g} CPUs and {wanted.gpus:g} GPUs; "
                "waiting for one that does"
            )
        recorder = Recorder(self._link.record, self._halt.fail, self._link.store_predictions)
        planner = Planner(
            job=job,
            attempt=self._link.attempt,
            spec=spec,
            steps=assignment.steps,
            measurements=assignment.measurements,
            packets=broker,
            ledger=_Ledger(self._link, recorder),
            narrator=self._narrator,
            elapsed_seconds=assignment.elapsed_seconds,
            billed_device_seconds=assignment.billed_device_seconds,
            refusals=refusals,
            surplus=assignment.surplus,
        )
        searcher = self._share.searcher = SlotSearcher(slots, broker.lost)
        arguments = (planner, broker, searcher)
        thread = threading.Thread(target=self._plan, args=arguments, name="planner")
        thread.start()
        try:
            cluster.run_slots(spec, job, data, broker, searcher, self._halt, kept.learners)
        except Exception as error:  # noqa: BLE001 - ends the attempt, with its reason
            self._narrator.say(traceback.format_exc())
            self._halt.fail(error)
        finally:
            if not planner.done:
                self._halt.fail(RuntimeError("Ray Tune ended before the plan did"))
            thread.join()
            self._share.broker = None
            if not self._halt.stale:
                planner.drain(cluster.node_alive)
            recorder.close()

    def _plan(self, planner: Planner, broker: cluster.Broker, searcher: SlotSearcher) -> None:
        try:
            planner.run(self._halt.event, cluster.node_alive)
        except Exception as error:  # noqa: BLE001 - ends the attempt, with its reason
            self._narrator.say(traceback.format_exc())
            self._halt.fail(error)
        finally:
            searcher.close()
            broker.close()
            if self._halt.event.is_set():
                broker.kill_workers()
            elif planner.broken_off:
                self._narrator.say(
                    "the time is over; slots that are still busy are ended, which Ray reports "
                    "as errors"
                )
                broker.kill_busy_workers()
            elif planner.runs_ahead:
                self._narrator.say(
                    "all that was asked for is there; slots that still run ahead are ended, "
                    "which Ray reports as errors"
                )
                broker.kill_busy_workers()
