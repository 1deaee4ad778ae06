"""One attempt at a job, from its enrolment to its last word."""

from __future__ import annotations

import signal
import traceback
from dataclasses import replace

import ray

from services.runner import content, own_code, refit, stopping, transfer
from services.runner.assignment import Assignment
from services.runner.facts import tell
from services.runner.link import CALL_SECONDS, CoordinatorLink, is_stale
from services.runner.measuring import Loads, Measuring, Parts
from services.runner.narration import Narrator
from services.runner.orders import Course, Orders
from services.runner.pulse import Halt, Pulse
from services.runner.settings import RunnerSettings
from tuner.datasets.base import Data, DataError
from tuner.errors import TunerError
from tuner.own_code import OwnCodeError
from tuner.v1 import runner_service_pb2 as pb


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
        self._orders = Orders()
        self._loads = Loads()
        self._narrator = Narrator({})
        self._paused = False

    def run(self) -> int:
        """Works, and tells the coordinator how it ended."""
        pulse = Pulse(
            self._link,
            self._halt,
            self._loads.load,
            self._orders,
            self._narrator.say,
            self._settings.patience_seconds,
        )
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
            if self._paused:
                self._narrator.say(f"nothing is in flight any more; {self._orders.reason}")
                self._link.finish(pb.ATTEMPT_OUTCOME_PAUSED, self._orders.reason)
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
        self._orders.wait(CALL_SECONDS)
        if self._rests(assignment):
            return
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
            if self._rests(assignment):
                return
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

    def _rests(self, assignment: Assignment) -> bool:
        """Pauses or stops the job where it is to, before anything of it is begun."""
        if self._halt.event.is_set():
            return True
        if self._orders.course is Course.STOP:
            spec, records = assignment.spec, assignment.records(self._settings.job)
            say = self._narrator.step
            stopping.stop(spec, records, self._link, self._orders.reason, say)
            return True
        self._paused = self._orders.settle()
        return self._paused

    def _run(
        self, assignment: Assignment, data: Data, refusals: dict[str, str], kept: transfer.Kept
    ) -> None:
        spec, job = assignment.spec, self._settings.job
        if spec.refit is None:
            parts = Parts(self._link, self._halt, self._orders, self._narrator, self._loads)
            self._paused = Measuring(job, assignment, data, refusals, kept, parts).run()
        else:
            # One fit: what runs is all that there is, whether it is to pause or to stop then.
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
