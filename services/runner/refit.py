"""A job that searches nothing: it fits a chosen model once more and keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import ray

from services.runner import own_code
from services.runner.pulse import Halt
from services.runner.transfer import Kept
from tuner.datasets.base import Data, DataError
from tuner.datasets.splits import Splits
from tuner.learners.base import Learner
from tuner.record import (
    Conclusion,
    Look,
    Measurement,
    Outcome,
    Packet,
    PacketAttempt,
    Phase,
    PlanStep,
    StepKind,
    record_digest,
)
from tuner.spec import JobSpec, Refit, Split
from tuner.trials.devices import Accelerator
from tuner.trials.refit import Kept as Fitted
from tuner.trials.refit import refit
from tuner.trials.work import SlotConfig, Task
from tuner.wire.names import JobName

POLICY = "refit/1"

_LOOK_SECONDS = 0.5
"""Longest wait for the fit before directives are looked at again."""


class Keeper(Protocol):
    """The coordinator as a refit sees it."""

    def commit(self, step: PlanStep) -> None:
        """Commits a plan step; durable when it returns."""
        ...

    def record(self, measurements: list[Measurement], attempts: list[PacketAttempt]) -> object:
        """Records how it went; durable when it returns."""
        ...

    def attach(self, name: str, content: bytes) -> None:
        """Keeps a file with the job; durable when it returns."""
        ...

    @property
    def attempt(self) -> int:
        """The runner's attempt."""
        ...


def check(wanted: Refit, data: Data) -> None:
    """Raises DataError where the data isn't what the model was chosen on."""
    if wanted.data_digest and wanted.data_digest != data.digest:
        raise DataError(
            f"the data has changed since {wanted.job} chose the model: its SHA-256 is "
            f"{data.digest}, and was {wanted.data_digest}; export on the data that it was chosen on"
        )


def run(
    spec: JobSpec,
    job: str,
    data: Data,
    keeper: Keeper,
    halt: Halt,
    say: Callable[[str], None],
    started: Kept,
    steps: Sequence[PlanStep] = (),
    measurements: Sequence[Measurement] = (),
) -> None:
    """Fits the model on the cluster and keeps its files with the job.

    The job's record is two decisions, to fit and to conclude, and one measurement, of the
    model on the test. Where the fit fails so does the search, with its reason.

    Args:
        spec: The job's spec, whose `refit` says what.
        job: Its resource name.
        data: Its data.
        keeper: The coordinator.
        halt: Ends it early.
        say: Tells what is done.
        started: The kept model that the search starts from, if it does.
        steps: What an earlier attempt has decided.
        measurements: What an earlier attempt has recorded; its files are kept by then.

    Raises:
        TunerError: The coordinator refused something.
        ray.exceptions.RayError: The worker was lost, or couldn't run.
    """
    assert spec.refit is not None
    [search] = spec.searches
    packet = _packet(search.key, spec.refit)
    if any(step.kind is StepKind.CONCLUDE for step in steps):
        return
    begun = _begun(search.key, spec.refit, packet)
    keeper.commit(begun)
    say(f"{search.key} #1 {begun.decision}")
    measured = next(iter(measurements), None)
    if measured is None:
        task = Task(packet, job, search.key, search.learner, search.axis)
        kept = _on_the_cluster(task, spec, job, data, halt, started)
        if kept is None:
            return
        measured = _record(kept, keeper)
    ended = _ended(search.key, measured)
    keeper.commit(ended)
    say(f"{search.key} #2 {ended.decision}")


def _record(kept: Fitted, keeper: Keeper) -> Measurement:
    """Keeps the files, then records the measurement that says that they are there."""
    for name, content in kept.files.items():
        keeper.attach(f"model/{name}", content)
    report = kept.report
    tried = PacketAttempt(
        packet=report.task.packet.id,
        number=1,
        runner_attempt=keeper.attempt,
        node=report.node,
        device_type=report.device_type,
        start_time=report.start_time,
        end_time=report.end_time,
        billed_device_seconds=report.billed_device_seconds,
        outcome=report.outcome,
        error=report.error,
    )
    keeper.record(list(report.measurements), [tried])
    return report.measurements[0]


def _packet(key: str, wanted: Refit) -> Packet:
    return Packet(f"{key}:1:0", Phase.MEASURING, (wanted.setting,), (wanted.level,), (0,))


def _begun(key: str, wanted: Refit, packet: Packet) -> PlanStep:
    chosen = f"level {wanted.level} as {wanted.job.rpartition('/')[2]} chose it"
    decision = f"fit {chosen} once more, on all the training data"
    return PlanStep(key, 1, StepKind.MEASURE, decision, POLICY, (packet,))


def _ended(key: str, measured: Measurement) -> PlanStep:
    look = Look(1, record_digest([measured]))
    decision, conclusion = "kept the model", Conclusion.ANSWERED
    if measured.outcome is not Outcome.COMPLETED:
        why = measured.error or "no reason given"
        decision = f"the fit ended as {measured.outcome.value}: {why}"
        conclusion = Conclusion.FAILED
    return PlanStep(key, 2, StepKind.CONCLUDE, decision, POLICY, look=look, conclusion=conclusion)


def _on_the_cluster(
    task: Task, spec: JobSpec, job: str, data: Data, halt: Halt, started: Kept
) -> Fitted | None:
    """Returns what came of the fit; None where the job is to end before it has."""
    wanted = spec.resources
    slot = SlotConfig(
        job=job,
        label=JobName.parse(job).job,
        seed=spec.seed,
        cpus=wanted.cpus,
        gpus=wanted.gpus,
        threads=wanted.threads,
        packet_timeout_seconds=wanted.packet_timeout_seconds,
        metrics=own_code.metrics(spec),
    )
    remote: Any = ray.remote(_fit).options(
        num_cpus=wanted.cpus, num_gpus=wanted.gpus, name=f"tuner refit of {slot.label}"
    )
    trained_on = (data.digest, *started.trained_on.get(task.search, ()))
    learner = started.learners.get(task.search)
    fitting = remote.remote(task, ray.put(data), spec.split, slot, trained_on, learner)
    while not halt.event.is_set():
        done, _ = ray.wait([fitting], timeout=_LOOK_SECONDS)
        if done:
            kept: Fitted = ray.get(fitting)
            return kept
    ray.cancel(fitting, force=True)
    return None


def _fit(
    task: Task,
    data: Data,
    split: Split,
    slot: SlotConfig,
    trained_on: Sequence[str],
    learner: Learner | None,
) -> Fitted:
    """Fits on the worker that Ray chose."""
    device = Accelerator.of_this_worker(slot.gpus)
    node = ray.get_runtime_context().get_node_id()
    splits = Splits(data, split, slot.seed)
    return refit(task, splits, slot, device.name, device.type, node, trained_on, learner)
